import type { ContainerEngine } from '../ports/container-engine.ts';
import type { JobCgroup } from '../ports/scheduler.ts';

/**
 * Parent cgroup for the job's containers; undefined where the engine cannot put them below the job and the site does
 * not ask for it. Where the site does, the engine's refusal and `verifyBelow` tell: asking it first would cost time.
 */
export async function findCgroupParent(
  { engine, isRequired }: { readonly engine: ContainerEngine; readonly isRequired: boolean },
  cgroup: JobCgroup | undefined,
): Promise<string | undefined> {
  if (cgroup === undefined || isRequired) return cgroup?.path;
  const { cgroupDriver } = await engine.ping();
  return cgroupDriver === 'cgroupfs' ? cgroup.path : undefined;
}
