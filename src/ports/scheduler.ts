import type { ForwardedSignal } from '../contract/helper-events.ts';
import type { JobKey } from '../contract/job-key.ts';
import type { SchedulerName } from '../contract/schedulers.ts';

/** What the scheduler gave to the job, as its environment in the batch script says. Forgeable: never decides safety. */
export interface Allocation {
  readonly scheduler: SchedulerName;
  /** The id by which the scheduler itself knows the job: of an array element `13` in Slurm, `12[3]` in LSF, `12.3` in Grid Engine. */
  readonly schedulerJobId: string;
  readonly job: JobKey;
  /** Hosts in the scheduler's order, each once; the first is the one on which the script runs: it becomes node_0. */
  readonly hosts: readonly AllocatedHost[];
}

export interface AllocatedHost {
  readonly name: string;
  /** MPI ranks that may run there. */
  readonly slots: number;
  /** GPUs of the job, by the names that the scheduler gives them; told of the first host alone. */
  readonly gpus?: readonly string[];
}

/** What the scheduler itself says of a running job, asked by the helper as root. */
export interface ConfirmedJob {
  readonly job: JobKey;
  readonly schedulerJobId: string;
  readonly uid: number;
  readonly hosts: readonly string[];
  /** Primary group under which it was submitted, where the scheduler runs it with that; to be checked against the user's groups. */
  readonly gid?: number;
  /** Partition or queue in which it runs, where the scheduler tells it. */
  readonly queue?: string;
  /** Slots of the job on each of them, where the scheduler tells them. */
  readonly slots?: ReadonlyMap<string, number>;
  /** Memory that the scheduler has taken for the job from what there is, for each slot, where it tells that. */
  readonly memoryPerSlotBytes?: number;
  /** Memory for each slot that the job was submitted with where the scheduler does not count it: anybody can ask for any. */
  readonly askedMemoryPerSlotBytes?: number;
}

/** What a job has of one host. */
export interface JobShare {
  readonly cpus: number;
  /** Undefined where the scheduler does not manage memory. */
  readonly memoryBytes?: number;
}

/** The cgroup of a job, as found for a process by the kernel's word. */
export interface JobCgroup {
  /** Undefined where the path does not tell it: then `nameCgroup` does. */
  readonly schedulerJobId: string | undefined;
  /** What stands in its place in the path (Slurm 26.05): the scheduler has to say whose it is. */
  readonly sluid?: string;
  /** Owner, where the path tells it (cgroup v1 of Slurm); otherwise the scheduler's confirmation of job and owner must do. */
  readonly uid?: number;
  /** Cgroup path of the job below each controller's root, e.g. `/slurm_node1/uid_2001/job_12`: parent for containers. */
  readonly path: string;
}

/** A command that starts a task on each host of the allocation, or on one of them. */
export interface LaunchCommand {
  readonly file: string;
  readonly argv: readonly string[];
  /** Changes to the environment of the launcher; undefined removes. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Set when it starts the task of this host alone: its end is then that task's. */
  readonly host?: string;
  /** True for a launcher that signals to our whole process group (`timeout`, Ctrl-C) must not reach: it would kill what runs on the hosts. */
  readonly hasOwnGroup?: boolean;
  /** True for a launcher that ends of signals which are meant for the job: these must not reach it. */
  readonly isApart?: boolean;
}

/** Tasks of a launcher that have ended, or could not be started. */
export interface TaskEnd {
  /** By the launcher's names. */
  readonly hosts: readonly string[];
  /** How, to follow "the helper": `was killed (SIGKILL)`, `ended with exit status 69`, `could not be started (…)`. */
  readonly how: string;
  /** Set when it was ended by a signal that is meant for the job's command. */
  readonly signal?: ForwardedSignal;
}

/** The side of a scheduler that the middleware needs; runs as the user. */
export interface Scheduler {
  readonly name: SchedulerName;
  /** True when the scheduler suspends a job by signals to its batch script: the job's hosts are then told by an order. */
  readonly suspendsBatchScript: boolean;
  /** The allocation; fails with `ALLOCATION_INVALID` and names the variable that is wrong. */
  readAllocation(environment: NodeJS.ProcessEnv): Allocation;
  /**
   * The command, or a command for each host, that runs `argv` once per host under the scheduler's control, with output
   * passed through unlabelled.
   */
  launchOnEveryHost(allocation: Allocation, argv: readonly string[]): LaunchCommand | readonly LaunchCommand[];
  /** The same for one of the hosts, by its name in the allocation; missing where each host has a command of its own. */
  launchOnHost?(allocation: Allocation, host: string, argv: readonly string[]): LaunchCommand;
  /**
   * What a line of the launcher's standard error says of single tasks that have ended while it goes on; undefined for any
   * other line, and wherever that is not certain. Missing where the launcher says nothing of the kind.
   */
  readTaskEnd?(line: string): TaskEnd | undefined;
}

/** A running job of the user's, as the scheduler tells him. */
export interface ReachedJob {
  readonly job: JobKey;
  readonly schedulerJobId: string;
  /** In the order of the job's nodes. */
  readonly hosts: readonly string[];
}

/** How a user comes into a running job of his from any host of the cluster; nothing here decides what he may. */
export interface JobReach {
  /**
   * The job by any of its ids; undefined when the scheduler knows no running one. Fails with `SCHEDULER_UNREACHABLE`, and
   * with `USAGE` when the id stands for several jobs.
   */
  findJob(text: string): Promise<ReachedJob | undefined>;
  /**
   * The command that runs `argv` on a host of the job, beside all else, and passes its three streams on byte by byte, the
   * end of its input too; ends with its status.
   */
  launchBeside(job: ReachedJob, host: string, argv: readonly string[]): LaunchCommand;
}

/** The side of a scheduler that the helper needs; runs as root and trusts only the scheduler and the kernel. */
export interface SchedulerAuthority {
  readonly name: SchedulerName;
  /**
   * True when a signal to the job always reaches the batch script, too: then its order is the only one that counts, and
   * what other processes of the job get of it is the same signal once more.
   */
  readonly signalsBatchScript: boolean;
  /** True when this host has the scheduler's commands. */
  isHere(): boolean;
  /**
   * The running job as the scheduler tells it. With a uid it must be that user's: there is one answer for a job that is not
   * there and for another user's, whatever its state. Fails with `JOB_NOT_YOURS` when it is unknown, not running or not
   * theirs, with `TERMINATED` when it is theirs and the scheduler is about to end it, with `SCHEDULER_UNREACHABLE` when nobody
   * answers.
   */
  confirmJob(schedulerJobId: string, uid?: number): Promise<ConfirmedJob>;
  /** Uid of a job's user, running or not; undefined when the scheduler does not know the job. Fails with `SCHEDULER_UNREACHABLE`. */
  findOwner(job: JobKey): Promise<number | undefined>;
  /**
   * True when nothing of the job can be left on any host by the scheduler's word: it is unknown, has ended everywhere, or
   * waits to be started again. Fails with `SCHEDULER_UNREACHABLE`.
   */
  isOver(schedulerJobId: string): Promise<boolean>;
  /**
   * Seconds for which the scheduler itself has kept a running job suspended since its start, a suspension of this moment
   * included. Missing where users can bring that about themselves, or where the scheduler does not tell. Fails like
   * `confirmJob`.
   */
  readSuspendedSeconds?(schedulerJobId: string): Promise<number>;
  /**
   * What the scheduler has given to a running job on this host; undefined when it gives nothing there. Asked only for a
   * container that cannot live below the job's cgroup. Missing where `confirmJob` tells it. Fails with
   * `SCHEDULER_UNREACHABLE`.
   */
  readShare?(schedulerJobId: string, host: string): Promise<JobShare | undefined>;
  /**
   * Indexes of the devices that the scheduler has given to the job on this host, by kind (Slurm's GRES); a kind of which it has
   * none is missing. Missing where the scheduler does not tell root which devices are a job's. Fails with `SCHEDULER_UNREACHABLE`.
   */
  readGres?(schedulerJobId: string, host: string): Promise<ReadonlyMap<string, readonly number[]>>;
  /** The job's cgroup out of the text of /proc/<pid>/cgroup; undefined when the process is in no job of this scheduler. */
  findJobCgroup(procCgroupText: string): JobCgroup | undefined;
  /**
   * The same cgroup with the id of this job, when the scheduler says that it is this job's; undefined when it is another's.
   * Asked only where the path does not tell. Fails with \`JOB_NOT_YOURS\` when the scheduler does not tell it either, with
   * \`SCHEDULER_UNREACHABLE\` when it does not answer.
   */
  nameCgroup?(cgroup: JobCgroup, schedulerJobId: string): Promise<JobCgroup | undefined>;
}
