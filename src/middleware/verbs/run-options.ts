import type { RequestOptions } from '../read-request.ts';

/** Options of a run as commander hands them over. */
export interface RunOptions extends RequestOptions {
  /** Undefined: as standard input itself suggests. */
  readonly stdin?: boolean;
  /** True for a job starter: what it was given is meant for the command. */
  readonly ownsInput?: boolean;
  readonly json?: string | boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}
