import type { Scheduler } from '../../../ports/scheduler.ts';
import { asJobError, JobError } from '../../../values/errors.ts';
import { endByError } from '../../../contract/helper-events.ts';
import type { JobEnd } from '../../../contract/helper-events.ts';
import type { JobKey } from '../../../contract/job-key.ts';
import type { Wanted } from '../../../lsf/esub/decide-submission.ts';
import { passSignals } from '../../pass-signals.ts';
import type { SignalTargets } from '../../pass-signals.ts';
import { readSurroundings } from '../../read-request.ts';
import { runJob } from '../../run-job.ts';
import { showProgress } from '../../show-progress.ts';
import { claimHolderDirectory, heldForOf, holderDirectory, holderSocket } from './held-job.ts';
import type { HeldFor } from './held-job.ts';
import type { PreExecLink } from './holder-word.ts';
import { serveStarter } from './serve-starter.ts';
import type { StarterServer } from './serve-starter.ts';

export interface HoldInput {
  readonly wanted: Wanted;
  readonly scheduler: Scheduler;
  readonly environment: NodeJS.ProcessEnv;
  readonly uid: number;
  readonly preExec: PreExecLink;
  /** Where the directory of sockets is made; default: /tmp. */
  readonly parent?: string;
}

type Surroundings = ReturnType<typeof readSurroundings>;

/**
 * Brings a job to the point of its start before its script, and holds it for that: the job starter then gives the
 * command, and has its output, its signals and its end from here. The job is ended when the pre-execution command goes
 * without adopting it, when no script comes in time, and when the script dies. Never fails: it says how the job ended.
 */
export async function holdJob(input: HoldInput): Promise<void> {
  const { preExec } = input;
  let end: JobEnd;
  try {
    const surroundings = enterJobDirectory(input);
    const { job } = input.scheduler.readAllocation(input.environment);
    const server = await openServer(input, job, heldForOf(surroundings));
    end = await hold(input, surroundings, server);
    await server.finish(end);
  } catch (thrown) {
    end = endByError(asJobError(thrown));
  }
  preExec.say({ ended: end });
}

/** How the job ended, also when it was never opened. */
async function hold(input: HoldInput, surroundings: Surroundings, server: StarterServer): Promise<JobEnd> {
  const { scheduler, environment, uid, preExec } = input;
  const listen = (targets: SignalTargets): Disposable => {
    const sources = new DisposableStack();
    sources.use(server.listen(targets));
    sources.use(passSignals(targets));
    const cancel = (): void => targets.cancel('SIGTERM');
    if (preExec.lost.aborted) cancel();
    preExec.lost.addEventListener('abort', cancel);
    sources.defer(() => preExec.lost.removeEventListener('abort', cancel));
    return sources;
  };
  try {
    const { end } = await runJob({
      ...{ scheduler, environment, uid, listen },
      request: { ...surroundings, command: { kind: 'later' } },
      progress: showProgress({ write: () => undefined, isTerminal: false }, { isQuiet: true, startedAtMs: 0 }),
      output: server.output,
      onReady: (give) => {
        server.accept(give);
        preExec.say({ ready: true });
      },
      onFinished: () => server.close(),
    });
    return end;
  } catch (thrown) {
    return endByError(asJobError(thrown));
  }
}

/** As the script will find itself: LSF starts pre-execution commands elsewhere. */
function enterJobDirectory({ wanted, environment }: HoldInput): Surroundings {
  const directory = environment['LS_SUBCWD'] ?? '';
  try {
    process.chdir(directory);
  } catch (cause) {
    throw new JobError({
      code: 'WORKDIR_UNUSABLE',
      message: `The directory of the job, ${directory.slice(0, 200)} (LS_SUBCWD), cannot be entered.`,
      cause,
    });
  }
  return readSurroundings(wanted, environment, process.cwd());
}

/** More than enough for other jobs of the user that end just now, and take the empty directory away. */
const tries = 5;

async function openServer({ uid, parent }: HoldInput, job: JobKey, heldFor: HeldFor): Promise<StarterServer> {
  const directory = holderDirectory(uid, parent);
  for (let left = tries; ; left -= 1) {
    await claimHolderDirectory(directory, uid);
    try {
      return await serveStarter(holderSocket(directory, job), heldFor);
    } catch (error) {
      if (left === 1) throw error;
    }
  }
}
