/** A job in the scheduler: its order as it was submitted, and how it stands. */
import type { Socket } from 'node:net';
import type { Message } from './wire.ts';
import type { ArrayPlace, HostShare, JobRecord, JobStatus, JobUser, Submission } from './job.ts';

export interface QueuedJob {
  readonly id: number;
  readonly array: ArrayPlace | undefined;
  /** bmod changes it while the job waits; its queue, too. */
  submission: Submission;
  readonly user: JobUser;
  queue: string;
  readonly submitSeconds: number;
  status: JobStatus;
  shares: readonly HostShare[];
  startSeconds?: number;
  finishSeconds?: number;
  exitCode?: number;
  pendingReason?: string;
  /** Hosts on which its pre-exec has failed with a status that bars them. */
  readonly barredHosts: Set<string>;
  /** True while the cycle has to pass before the next try. */
  waitsForCycle: boolean;
  /** True from the moment an agent has the job until it has told how it ended. */
  isPlaced: boolean;
  /** True from the start of its own process, which its status does not tell: RUN begins before the pre-execs. */
  hasStarted: boolean;
  /** What was asked of it during its pre-execs and has to wait; carried out when it has started or is in the queue again. */
  held?: () => void;
  agent?: Socket;
  /** Orders of the time before the agent was reached. */
  unsent?: Message[];
  /** A `bsub -I` or `-K` that waits for its end. */
  client?: Socket;
}

/** What bjobs is told of a job. */
export function describeJob(job: QueuedJob): JobRecord {
  const { request, submitHost, cwd } = job.submission;
  const name = request.name ?? request.command;
  return {
    id: job.id,
    index: job.array?.index ?? 0,
    user: job.user.name,
    status: job.status,
    queue: job.queue,
    submitHost,
    name: job.array === undefined ? name : name.replace(/\[[^[]*$/, `[${job.array.index}]`),
    command: request.command,
    project: request.project ?? 'default',
    cwd,
    home: job.user.home,
    shares: job.status.startsWith('P') ? [] : job.shares,
    slots: request.minSlots,
    submitSeconds: job.submitSeconds,
    ...(job.startSeconds === undefined ? {} : { startSeconds: job.startSeconds }),
    ...(job.finishSeconds === undefined ? {} : { finishSeconds: job.finishSeconds }),
    ...(job.exitCode === undefined ? {} : { exitCode: job.exitCode }),
    ...(job.pendingReason === undefined ? {} : { pendingReason: job.pendingReason }),
  };
}

/** True when nothing will happen to the job any more. */
export function hasEnded({ status }: { readonly status: JobStatus }): boolean {
  return status === 'DONE' || status === 'EXIT';
}

/** The current time as the stand-in writes it. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
