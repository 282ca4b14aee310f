import { randomBytes } from 'node:crypto';
import type { MemoryTrouble } from '../cgroup/watch-memory.ts';
import { allOrNone } from '../system/all-or-none.ts';
import { silentLog } from '../system/log.ts';
import type { Allocation, Scheduler } from '../ports/scheduler.ts';
import type { HelperSession } from './call-helper.ts';
import { helperArgv, openJob } from './call-helper.ts';
import { checkWorkdir } from './check-workdir.ts';
import type { JobOutput, LaunchCommands, Launched, LaunchOptions } from './launch-nodes.ts';
import { launchNodes } from './launch-nodes.ts';
import { nameOtherCall } from './name-other-call.ts';
import type { Outcome } from './outcome.ts';
import { watchOwnMemory } from './own-memory.ts';
import { passSignals } from './pass-signals.ts';
import type { SignalTargets } from './pass-signals.ts';
import type { JobHandling } from './running-job.ts';
import { RunningJob } from './running-job.ts';
import type { Progress } from './show-progress.ts';
import { startAgain } from './start-again.ts';
import type { PlannedRequest } from './write-job-request.ts';
import { writeJobRequest } from './write-job-request.ts';

/** What a job's run needs from the outside. */
export interface RunInput extends JobHandling {
  readonly request: PlannedRequest;
  readonly scheduler: Scheduler;
  readonly environment: NodeJS.ProcessEnv;
  readonly uid: number;
  /** The group under which we are called. */
  readonly gid?: number | undefined;
  /** Where signals come from; default: this process. */
  readonly listen?: (targets: SignalTargets) => Disposable;
  /** Where the job's output goes; default: this process's own. */
  readonly output?: JobOutput;
  /** What the kernel counts of this process's memory; default: that. */
  readonly readMemory?: () => Promise<MemoryTrouble | undefined>;
}

/**
 * One job from its allocation to its release: the helper opens it, the launcher starts a node per host, the command
 * runs, all is taken away. Returns the outcome; fails only when the job was never opened.
 */
export async function runJob(input: RunInput): Promise<Outcome> {
  const { log = silentLog } = input;
  const allocation = input.scheduler.readAllocation(input.environment);
  log.debug('allocation-read', { ...allocation });
  describeAllocation(input.progress, allocation);
  const [memory] = await allOrNone([watchOwnMemory(input.readMemory), checkWorkdir(input.request.workdir, input.uid)]);
  await memory.requireEnough();
  const launchId = randomBytes(8).toString('hex');
  // Before anything is started: a launcher that is missing leaves nothing behind.
  const commands = input.scheduler.launchOnEveryHost(allocation, helperArgv('run-node', allocation.job, launchId));
  const request = {
    ...writeJobRequest(allocation, input.request, launchId),
    ...(input.gid === undefined ? {} : { gid: input.gid }),
    input: input.openInput !== undefined,
  };
  log.debug('helper-asked', { helper: helperArgv('open-job'), request });
  const helper = openJob(request);
  const again = startAgain(input.scheduler, allocation, commands, helperArgv('run-node', allocation.job, launchId), {
    forward: (signal) => helper.order({ order: 'signal', signal }),
    say: (text) => input.progress.say(text),
  });
  const job = new RunningJob(allocation, input, helper, () => launchFor(commands, helper, input, again));
  // On several hosts the helpers start while the job is being opened; they wait for its plan.
  if (allocation.hosts.length > 1) job.launch();
  using _signals = (input.listen ?? passSignals)(job.signalTargets());
  await job.follow().catch(async (error: unknown) => {
    throw await nameOtherCall(await memory.explain(error), allocation.job, input.scheduler);
  });
  await job.deliver();
  return job.tellOutcome();
}

/** More of a launcher's words would not help; the last ones say why. */
const mostHosts = 100;

function launchFor(
  commands: LaunchCommands,
  helper: HelperSession,
  input: RunInput,
  again: LaunchOptions['startAgain'],
): Launched {
  const { scheduler, output, log = silentLog } = input;
  log.debug('launcher-started', { commands });
  const launched = launchNodes(commands, {
    output,
    startAgain: again,
    readTaskEnd: scheduler.readTaskEnd?.bind(scheduler),
    onTaskEnd: ({ hosts, how }, detail) =>
      helper.order({ order: 'task-ended', hosts: hosts.slice(0, mostHosts), how, detail }),
  });
  void launched.ended.then(({ status, signal, said }) => {
    log.debug('launcher-ended', { status, signal, said });
    helper.order({ order: 'launcher-ended', status, ...(signal === undefined ? {} : { signal }), detail: said });
  });
  return launched;
}

function describeAllocation(progress: Progress, { job, hosts }: Allocation): void {
  const slots = hosts.reduce((sum, host) => sum + host.slots, 0);
  const shown = hosts.slice(0, 8).map(({ name }) => name);
  const names = `${shown.join(' ')}${hosts.length > shown.length ? ' …' : ''}`;
  progress.say(
    `job ${job}  ${hosts.length} host${hosts.length === 1 ? '' : 's'} (${names}), ${slots} slot${slots === 1 ? '' : 's'}`,
  );
}
