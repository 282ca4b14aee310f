import { readAllocation } from '../../../lsf/read-allocation.ts';
import { JobError } from '../../../values/errors.ts';
import type { JobKey } from '../../../contract/job-key.ts';
import { readRequest } from '../../read-request.ts';
import { readUmask } from '../../read-umask.ts';
import type { JobOutput } from '../../launch-nodes.ts';
import type { StarterPlan } from '../plan-starter.ts';
import { findHolderSocket, heldForOf } from './held-job.ts';
import { dismissHeldJob, joinHeldJob } from './join-held-job.ts';

/** More than a release takes at any site: see `mostShortCallSeconds` in config/site-rules.ts. */
const dismissMs = 14 * 60_000;

export interface HeldJobInput {
  readonly environment: NodeJS.ProcessEnv;
  readonly uid: number;
  /** Where the job runs; asked only for a job that is held. */
  readonly cwd: () => string;
  readonly output: JobOutput;
  /** Default: /tmp. */
  readonly parent?: string;
}

/**
 * Runs the command of the script in the containers that were started before it, and resolves to its exit status; undefined
 * when none were, or when the script needs something else: then what was started is gone. Fails with `CONFIG_INVALID`
 * when the site has promised the job an image and the starter knows of none: it must not run on the host.
 */
export async function runHeldJob(plan: StarterPlan, input: HeldJobInput): Promise<number | undefined> {
  const { environment, uid, cwd, output, parent } = input;
  const job = findJob(environment);
  const socket = job === undefined ? undefined : await findHolderSocket(uid, job, parent);
  if (socket === undefined) return undefined;
  if (plan.kind === 'host') {
    await dismissHeldJob(socket, dismissMs);
    if (plan.isWithoutImage === true) throw noImage();
    return undefined;
  }
  const request = readRequest(plan.options, plan.argv, environment, cwd());
  const order = {
    wanted: heldForOf(request),
    command: request.command,
    environment: { ...request.environment },
    umask: readUmask(),
  };
  const end = await joinHeldJob(socket, order, output, dismissMs);
  if (end?.by === 'middleware') output.stderr.write(`hpc-submit-dockerjob: ${JobError.fromWire(end).toLine()}\n`);
  return end?.exitStatus;
}

function noImage(): JobError {
  return new JobError({
    code: 'CONFIG_INVALID',
    message:
      "Containers were started for this job before its script, but the job starter's options name no image for it.",
    hint: 'Ask the administrators to give PRE_EXEC and JOB_STARTER of the queue the same options (docs/lsf.md, 9).',
  });
}

/** Undefined where LSF does not tell enough for a job to be held: whoever runs it says what is missing. */
function findJob(environment: NodeJS.ProcessEnv): JobKey | undefined {
  try {
    return readAllocation(environment).job;
  } catch {
    return undefined;
  }
}
