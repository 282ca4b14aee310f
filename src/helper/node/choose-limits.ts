import { readLimits } from '../../cgroup/read-limits.ts';
import type { JobCgroup } from '../../ports/scheduler.ts';
import type { HelperContext } from '../open-context.ts';
import type { HostShare, ShareLimits } from './confirm-share.ts';
import { confirmShare, limitsOf } from './confirm-share.ts';
import { hasSwap } from '../../cgroup/watch-memory.ts';
import { JobError } from '../../values/errors.ts';
import { describeSmallMemory, leastOwnMemory, moreMemoryHint } from '../../values/own-memory.ts';
import type { OwnNode } from './own-node.ts';

/** Less than this the engine refuses. */
const leastMemoryBytes = 6 * 1024 ** 2;

/** Where the job's processes are, and whether its container is below. */
export interface JobPlace {
  readonly cgroup: JobCgroup | undefined;
  readonly cgroupParent: string | undefined;
  readonly share: HostShare | undefined;
}

/**
 * The limits that a job's container gets itself. Below the job's cgroup they are the job's memory once more: programs
 * that size themselves look into their own cgroup. Elsewhere they are all that holds it, and come from the job's cgroup as
 * far as that has any, else from the scheduler. Fails as `confirmShare` does, with `HOST_UNFIT` when nobody tells them.
 */
export async function chooseLimits(
  context: Pick<HelperContext, 'authorities'>,
  { site, plan, node }: Pick<OwnNode, 'site' | 'plan' | 'node'>,
  { cgroup, cgroupParent, share }: JobPlace,
  cgroupRoot?: string,
  isSwapping: () => Promise<boolean> = hasSwap,
): Promise<ShareLimits> {
  const ofJob = cgroup === undefined ? {} : await readLimits(cgroup.path, cgroupRoot);
  const { memoryBytes, cpuset } = ofJob;
  if (cgroupParent !== undefined && memoryBytes !== undefined && !(await fits(memoryBytes, node.index, isSwapping)))
    throw tooSmall(memoryBytes, node.index);
  if (cgroupParent !== undefined)
    return memoryBytes === undefined || memoryBytes < leastMemoryBytes ? {} : { sharedMemoryBytes: memoryBytes };
  if (memoryBytes !== undefined && cpuset !== undefined) return { memoryBytes, cpuset };
  const told = share ?? (await confirmShare(context.authorities.of(plan.scheduler), plan, node));
  const { cpus, ...limits } = limitsOf(site, told);
  return {
    ...limits,
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(cpuset === undefined ? (cpus === undefined ? {} : { cpus }) : { cpuset }),
  };
}

/** False where the kernel would kill the container before its command began. */
async function fits(limitBytes: number, nodeIndex: number, isSwapping: () => Promise<boolean>): Promise<boolean> {
  return limitBytes >= leastOwnMemory(nodeIndex) || (await isSwapping());
}

function tooSmall(limitBytes: number, nodeIndex: number): JobError {
  return new JobError({
    code: 'OUT_OF_MEMORY',
    message: `this host cannot start the job: ${describeSmallMemory(limitBytes, nodeIndex)}.`,
    hint: moreMemoryHint,
  });
}
