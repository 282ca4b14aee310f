/**
 * What the programs say of their own work when somebody looks for a fault: by `--verbose`, or by `logging.level` of
 * site.yaml. Nothing that decides or proves anything; that is in the audit records.
 */
export type LogEvent =
  /** Middleware: job, hosts and slots as the scheduler's environment names them. */
  | 'allocation-read'
  /** Middleware: the request that the helper was given, without the values of variables. */
  | 'helper-asked'
  /** Middleware: an event that the helper has told. */
  | 'helper-told'
  /** Middleware: the launcher that was started on the hosts, word by word. */
  | 'launcher-started'
  /** Middleware: how the launcher ended. */
  | 'launcher-ended'
  /** Helper: who calls for what. */
  | 'call-begun'
  /** Helper: site.yaml was read and is trusted. */
  | 'policy-loaded'
  /** Helper: the call is over; its status and the time that it took. */
  | 'call-over'
  /** Both: a failure with its causes, where they lie in the program. */
  | 'failed';
