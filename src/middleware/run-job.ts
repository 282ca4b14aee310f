import { randomBytes } from 'node:crypto';
import type { Allocation, Scheduler } from '../ports/scheduler.ts';
import { JobError } from '../values/errors.ts';
import type { HelperEvent, HostsEnd, JobEnd } from '../contract/helper-events.ts';
import type { JobRequest, LateCommand, PlannedCommand } from '../contract/job-request.ts';
import { requestProtocol } from '../contract/job-request.ts';
import type { HelperSession } from './call-helper.ts';
import { helperArgv, openJob } from './call-helper.ts';
import { checkWorkdir } from './check-workdir.ts';
import type { JobOutput, LaunchCommands, Launched } from './launch-nodes.ts';
import { launchNodes } from './launch-nodes.ts';
import type { Outcome } from './outcome.ts';
import { passSignals } from './pass-signals.ts';
import type { SignalTargets } from './pass-signals.ts';
import type { UserRequest } from './read-request.ts';
import type { Progress } from './show-progress.ts';

/** A request whose command may come later. */
export type PlannedRequest = Omit<UserRequest, 'command'> & { readonly command: PlannedCommand };

/** What a job's run needs from the outside. */
export interface RunInput {
  readonly request: PlannedRequest;
  readonly scheduler: Scheduler;
  readonly environment: NodeJS.ProcessEnv;
  readonly uid: number;
  readonly progress: Progress;
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
  const allocation = input.scheduler.readAllocation(input.environment);
  describeAllocation(input.progress, allocation);
  await checkWorkdir(input.request.workdir, input.uid);
  const launchId = randomBytes(8).toString('hex');
  // Before anything is started: a launcher that is missing leaves nothing behind.
  const commands = input.scheduler.launchOnEveryHost(allocation, helperArgv('run-node', allocation.job, launchId));
  const helper = openJob(requestFor(allocation, input.request, launchId));
  const launch = (): Launched => launchFor(commands, helper, input.output);
  // On several hosts the helpers start while the job is being opened; they wait for its plan.
  let launched: Launched | undefined = allocation.hosts.length > 1 ? launch() : undefined;
  let opened: Extract<HelperEvent, { event: 'opened' }> | undefined;
  let end: JobEnd | undefined;
  let leftovers: readonly string[] = [];
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
  for await (const event of endingWith(helper.events, () => launched?.abandon())) {
    input.progress.show(event);
    switch (event.event) {
      case 'refused':
        await launched?.abandon();
        throw JobError.fromWire(event);
      case 'opened':
        opened = event;
        launched ??= launch();
        launched.adopt();
        break;
      case 'finished':
        ({ end } = event);
        input.onFinished?.();
        break;
      case 'released':
        ({ leftovers } = event);
        hosts = event.hosts === 'done' && leftovers.length > 0 ? 'unsure' : event.hosts;
        isReleased = true;
        break;
      case 'ready':
        input.onReady?.((late) => helper.order({ order: 'command', ...late }));
        break;
      case 'node':
      case 'note':
      case 'gathered':
        break;
    }
  }
  // Its last output must be through before the job's status is known to the scheduler.
  await launched?.finish(hosts);
  if (opened === undefined || end === undefined)
    throw new JobError({ code: 'BUG', message: 'The helper ended the job without saying how.' });
  return {
    job: allocation.job,
    scheduler: allocation.scheduler,
    opened,
    end,
    leftovers,
    phaseTimesMs: input.progress.phaseTimesMs,
  };
}

/** The helper's events; when it dies without a last word, `abandon` ends what is left of the job before the failure. */
async function* endingWith(
  events: AsyncIterable<HelperEvent>,
  abandon: () => Promise<void> | undefined,
): AsyncGenerator<HelperEvent> {
  try {
    yield* events;
  } catch (error) {
    await abandon();
    throw error;
  }
}

function launchFor(commands: LaunchCommands, helper: HelperSession, output?: JobOutput): Launched {
  const launched = launchNodes(commands, undefined, output);
  void launched.ended.then(({ status, said }) => helper.order({ order: 'launcher-ended', status, detail: said }));
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

function requestFor(allocation: Allocation, request: PlannedRequest, launchId: string): JobRequest {
  return {
    protocol: requestProtocol,
    launchId,
    scheduler: allocation.scheduler,
    schedulerJobId: allocation.schedulerJobId,
    job: allocation.job,
    hosts: allocation.hosts.map(({ name, slots }) => ({ name, slots })),
    ...(request.application === undefined ? {} : { application: request.application }),
    ...(request.image === undefined ? {} : { image: request.image }),
    command: request.command,
    workdir: request.workdir,
    environment: { ...request.environment },
    mounts: [...request.mounts],
  };
}
