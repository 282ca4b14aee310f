import type { Allocation, Scheduler } from '../ports/scheduler.ts';
import { JobError } from '../shared/errors.ts';
import type { HelperEvent, JobEnd } from '../shared/helper-events.ts';
import type { JobRequest } from '../shared/job-request.ts';
import { requestProtocol } from '../shared/job-request.ts';
import { openJob } from './call-helper.ts';
import { checkWorkdir } from './check-workdir.ts';
import type { Launched } from './launch-nodes.ts';
import { launchNodes } from './launch-nodes.ts';
import type { Outcome } from './outcome.ts';
import { passSignals } from './pass-signals.ts';
import type { UserRequest } from './read-request.ts';
import type { Progress } from './show-progress.ts';

/** What a job's run needs from the outside. */
export interface RunInput {
  readonly request: UserRequest;
  readonly scheduler: Scheduler;
  readonly environment: NodeJS.ProcessEnv;
  readonly uid: number;
  readonly progress: Progress;
}

/**
 * One job from its allocation to its release: the helper opens it, the launcher starts a node per host, the command
 * runs, all is taken away. Returns the outcome; fails only when the job was never opened.
 */
export async function runJob(input: RunInput): Promise<Outcome> {
  const allocation = input.scheduler.readAllocation(input.environment);
  describeAllocation(input.progress, allocation);
  await checkWorkdir(input.request.workdir, input.uid);
  const helper = openJob(requestFor(allocation, input.request));
  let launched: Launched | undefined;
  let opened: Extract<HelperEvent, { event: 'opened' }> | undefined;
  let end: JobEnd | undefined;
  let leftovers: readonly string[] = [];
  using _signals = passSignals({
    cancel: (signal) => helper.order({ order: 'cancel', signal }),
    forward: (signal) => launched?.signal(signal),
  });
  for await (const event of helper.events) {
    input.progress.show(event);
    switch (event.event) {
      case 'refused':
        throw errorFrom(event);
      case 'opened':
        opened = event;
        launched = launchNodes(input.scheduler, allocation);
        void launched.ended.then((status) => helper.order({ order: 'launcher-ended', status, detail: '' }));
        break;
      case 'finished':
        ({ end } = event);
        break;
      case 'released':
        ({ leftovers } = event);
        break;
      case 'node':
      case 'note':
      case 'gathered':
      case 'ready':
        break;
    }
  }
  // Its last output must be through before the job's status is known to the scheduler.
  await launched?.ended;
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

function describeAllocation(progress: Progress, { job, hosts }: Allocation): void {
  const slots = hosts.reduce((sum, host) => sum + host.slots, 0);
  const shown = hosts.slice(0, 8).map(({ name }) => name);
  const names = `${shown.join(' ')}${hosts.length > shown.length ? ' …' : ''}`;
  progress.say(
    `job ${job}  ${hosts.length} host${hosts.length === 1 ? '' : 's'} (${names}), ${slots} slot${slots === 1 ? '' : 's'}`,
  );
}

function requestFor(allocation: Allocation, request: UserRequest): JobRequest {
  return {
    protocol: requestProtocol,
    scheduler: 'slurm',
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

function errorFrom(event: Extract<HelperEvent, { event: 'refused' }>): JobError {
  return JobError.fromWire(event);
}
