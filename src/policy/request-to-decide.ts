/** The parts of a request on which the site's policy has a say. */
export interface RequestToDecide {
  readonly application?: string | undefined;
  readonly image?: string | undefined;
  readonly workdir: string;
  readonly mounts: readonly string[];
  /** Default: none. */
  readonly devices?: readonly string[] | undefined;
  readonly shmBytes?: number | undefined;
  readonly hostCount: number;
}

/** One thing that was decided and the key of site.yaml that decided it. */
export interface DecidingRule {
  readonly subject: string;
  readonly decision: string;
  readonly rule: string;
}
