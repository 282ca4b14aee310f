/** A job as the stand-in's programs know it: what was asked for, and how it stands. */

export type JobStatus = 'PEND' | 'PSUSP' | 'RUN' | 'USUSP' | 'SSUSP' | 'UNKWN' | 'DONE' | 'EXIT';

/** What bsub found out: the options, after every esub had its say. */
export interface JobRequest {
  readonly command: string;
  /** The body of `bsub < script`; the command is then its text in one line. */
  readonly script?: string;
  readonly name?: string;
  readonly queue?: string;
  readonly minSlots: number;
  readonly maxSlots: number;
  readonly resReq?: string;
  readonly hosts?: string;
  readonly inFile?: string;
  readonly outFile?: string;
  readonly errFile?: string;
  readonly runLimitSeconds?: number;
  readonly memoryLimit?: number;
  readonly project?: string;
  readonly preExec?: string;
  readonly postExec?: string;
  readonly loginShell?: string;
  readonly otherFiles?: readonly string[];
  readonly additional?: string;
  readonly exclusive?: boolean;
  readonly hold?: boolean;
  readonly interactive?: boolean;
}

/** A request with what the submitting process adds to it. */
export interface Submission {
  readonly request: JobRequest;
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly submitHost: string;
  /** What the esubs wrote to their standard output, in base64: eexec reads it. */
  readonly eexecData: string;
}

/** The owner, as the daemon knows it for sure. */
export interface JobUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly group: string;
  readonly home: string;
}

export interface ArrayPlace {
  readonly index: number;
  readonly step: number;
  readonly end: number;
}

/** Slots on one host, in the order of the allocation. */
export interface HostShare {
  readonly host: string;
  readonly slots: number;
}

/** All that the agent of the first host needs to run a job. */
export interface JobOrder {
  readonly id: number;
  readonly array?: ArrayPlace;
  readonly submission: Submission;
  readonly user: JobUser;
  readonly queue: string;
  readonly submitSeconds: number;
  readonly shares: readonly HostShare[];
}

/** What bjobs is told of a job. */
export interface JobRecord {
  readonly id: number;
  readonly index: number;
  readonly user: string;
  readonly status: JobStatus;
  readonly queue: string;
  readonly submitHost: string;
  readonly name: string;
  readonly command: string;
  readonly project: string;
  readonly cwd: string;
  readonly home: string;
  readonly shares: readonly HostShare[];
  readonly slots: number;
  readonly submitSeconds: number;
  readonly startSeconds?: number;
  readonly finishSeconds?: number;
  readonly exitCode?: number;
  readonly pendingReason?: string;
}

/** `48` or `48[1]`, as commands name a job. */
export function nameJob(job: { readonly id: number; readonly index: number }): string {
  return job.index === 0 ? String(job.id) : `${job.id}[${job.index}]`;
}
