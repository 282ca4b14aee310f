import { ChildProcess, spawn } from 'node:child_process';
import type { SpawnOptions } from 'node:child_process';
import { PassThrough } from 'node:stream';
import { retryUntil } from '../../system/retry-until.ts';

/** A child that leads a process group of its own, so that a signal reaches what it has started too. */
export class ProcessGroup {
  readonly child: ChildProcess;

  /** Starts it at once; a program that cannot be started is reported by the child's 'error' event. */
  constructor(file: string, argv: readonly string[], options: SpawnOptions) {
    this.child = startChild(file, argv, { ...options, detached: true });
  }

  /** True while any process of the group is left, also when its leader has ended. */
  get isAlive(): boolean {
    return this.signal(0);
  }

  /** False when the group is gone. */
  signal(name: NodeJS.Signals | 0): boolean {
    const { pid } = this.child;
    if (pid === undefined) return false;
    try {
      return process.kill(-pid, name);
    } catch {
      return false; // ESRCH; nothing else can be, as all of the container has one user
    }
  }

  /** TERM, then KILL when the grace is over; resolves when the group is gone or was killed. */
  async end(graceMs: number): Promise<void> {
    if (!this.signal('SIGTERM')) return;
    this.signal('SIGCONT'); // a stopped process does not see TERM
    const isGone = (): true | undefined => (this.isAlive ? undefined : true);
    if (await retryUntil(isGone, { pauseMs: { first: 5, most: 100 }, deadlineMs: graceMs })) return;
    this.signal('SIGKILL');
  }
}

/** Node tells some failures of a start by the 'error' event and throws others (ENOTDIR, E2BIG, ETXTBSY): here all are events. */
function startChild(file: string, argv: readonly string[], options: SpawnOptions): ChildProcess {
  try {
    return spawn(file, argv, options);
  } catch (error) {
    const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
    for (const stream of Object.values(streams)) stream.destroy();
    const child = Object.assign(new ChildProcess(), streams);
    process.nextTick(() => child.emit('error', error));
    return child;
  }
}

/** The process groups of the sessions that this node serves. */
export class ProcessGroups {
  private readonly groups = new Set<ProcessGroup>();

  add(group: ProcessGroup): void {
    this.groups.add(group);
    // A daemon that a session left behind still belongs to its group: it stays on the list.
    group.child.once('exit', () => {
      if (!group.isAlive) this.groups.delete(group);
    });
    group.child.once('error', () => this.groups.delete(group));
  }

  /** Ends them all at the same time. */
  async end(graceMs: number): Promise<void> {
    await Promise.all([...this.groups].map((group) => group.end(graceMs)));
  }
}
