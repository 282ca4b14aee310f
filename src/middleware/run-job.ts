import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Log } from '../system/log.ts';
import { silentLog } from '../system/log.ts';
import type { Allocation, Scheduler } from '../ports/scheduler.ts';
import { asClause, JobError } from '../values/errors.ts';
import type { HelperEvent, HostsEnd, JobEnd } from '../contract/helper-events.ts';
import { inputPipe } from '../contract/job-input.ts';
import type { JobKey } from '../contract/job-key.ts';
import type { LateCommand } from '../contract/job-request.ts';
import type { HelperSession } from './call-helper.ts';
import { helperArgv, openJob } from './call-helper.ts';
import { checkWorkdir } from './check-workdir.ts';
import type { JobOutput, LaunchCommands, Launched, LaunchOptions } from './launch-nodes.ts';
import { launchNodes } from './launch-nodes.ts';
import type { Outcome } from './outcome.ts';
import { passInput } from './pass-input.ts';
import { passSignals } from './pass-signals.ts';
import type { SignalTargets } from './pass-signals.ts';
import type { Progress } from './show-progress.ts';
import { startAgain } from './start-again.ts';
import type { PlannedRequest } from './write-job-request.ts';
import { writeJobRequest } from './write-job-request.ts';

/** What a job's run needs from the outside. */
export interface RunInput {
  readonly request: PlannedRequest;
  readonly scheduler: Scheduler;
  readonly environment: NodeJS.ProcessEnv;
  readonly uid: number;
  /** The group under which we are called. */
  readonly gid?: number | undefined;
  readonly progress: Progress;
  /** The command's standard input, opened when the command is there; without it that is empty. */
  readonly openInput?: () => Readable;
  /** What is done, for whoever looks for a fault; default: nothing. */
  readonly log?: Log;
  /** Where signals come from; default: this process. */
  readonly listen?: (targets: SignalTargets) => Disposable;
  /** Where the job's output goes; default: this process's own. */
  readonly output?: JobOutput;
  /** Told when all nodes are ready, and how a command that comes later is given; the first counts. */
  readonly onReady?: (give: (late: LateCommand) => void) => void;
  /** Told when the job is over, before it is taken away. */
  readonly onFinished?: () => void;
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
  await checkWorkdir(input.request.workdir, input.uid);
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
  const launch = (): Launched => launchFor(commands, helper, input, again);
  // On several hosts the helpers start while the job is being opened; they wait for its plan.
  let launched: Launched | undefined = allocation.hosts.length > 1 ? launch() : undefined;
  let opened: Extract<HelperEvent, { event: 'opened' }> | undefined;
  let end: JobEnd | undefined;
  let leftovers: readonly string[] | undefined;
  let isReleased = false;
  let hosts: HostsEnd = 'unsure';
  using _signals = (input.listen ?? passSignals)({
    cancel: (signal) => {
      helper.order({ order: 'cancel', signal });
      // Nothing is left to be cancelled but the delivery of output to a reader who stands still.
      if (isReleased) void launched?.abandon();
    },
    forward: (signal) => helper.order({ order: 'signal', signal }),
    ...(input.scheduler.suspendsBatchScript ? { want: (state) => helper.order({ order: 'want', state }) } : {}),
  });
  using passed = new DisposableStack();
  try {
    for await (const event of helper.events) {
      if (event.event === 'refused') throw JobError.fromWire(event);
      input.progress.show(event);
      log.debug('helper-told', { ...event, event: undefined, told: event.event });
      switch (event.event) {
        case 'opened':
          opened = event;
          launched ??= launch();
          launched.adopt();
          break;
        case 'finished':
          ({ end } = event);
          passed.dispose();
          input.onFinished?.();
          break;
        case 'released':
          ({ leftovers } = event);
          hosts = event.hosts === 'done' && event.leftovers.length > 0 ? 'unsure' : event.hosts;
          isReleased = true;
          break;
        case 'ready':
          launched?.distrustWords();
          if (input.openInput !== undefined) passed.use(startInput(allocation.job, input.openInput, helper));
          input.onReady?.((late) => helper.order({ order: 'command', ...late }));
          break;
        case 'node':
        case 'note':
        case 'gathered':
          break;
      }
    }
  } catch (error) {
    // How the job ended was told once, and counts: only what is left of it is not known.
    if (opened === undefined || end === undefined) {
      await launched?.abandon();
      throw error;
    }
    input.progress.say(`released  not known: ${asClause(error)}; the epilogs remove what is left`);
  }
  // Its last output must be through before the job's status is known to the scheduler.
  const delivery = await launched?.finish(hosts);
  if (delivery !== undefined && delivery !== 'ended') input.progress.say(`note      ${undelivered[delivery]}`);
  if (opened === undefined || end === undefined)
    throw new JobError({ code: 'BUG', message: 'The helper ended the job without saying how.' });
  return {
    job: allocation.job,
    scheduler: allocation.scheduler,
    opened,
    end,
    ...(leftovers === undefined ? {} : { leftovers }),
    phaseTimesMs: input.progress.phaseTimesMs,
  };
}

const undelivered = {
  dead: "the scheduler's launcher did not end although every host was done; it was ended, and the last of the output may be missing",
  unread: 'nobody took the output for ten minutes; the rest of it was given up',
} as const;

/** Half an input must not pass for a whole one: the job is ended. */
function startInput(job: JobKey, openSource: () => Readable, helper: HelperSession): Disposable {
  return passInput(inputPipe(job), openSource, (reason) => {
    process.stderr.write(`hpc-submit-dockerjob: Standard input could not be passed on to its end: ${reason}.\n`);
    helper.order({ order: 'cancel', signal: 'SIGTERM' });
  });
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
  const gpus = hosts.flatMap((host) => host.gpus ?? []);
  if (gpus.length > 0)
    progress.say(`note      the job has GPUs (on ${hosts[0]?.name}: ${gpus.join(', ')}); containers are given none`);
}
