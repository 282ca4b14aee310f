import { labels } from '../../contract/labels.ts';
import { findUpperDirectory } from '../../docker/find-writable-layer.ts';
import type { ContainerEngine } from '../../ports/container-engine.ts';
import { pause } from '../../system/deadline.ts';
import { findRootMount } from '../../system/open-files.ts';
import { readKernelFile } from '../../cgroup/read-kernel-file.ts';
import { readProcess } from '../host/read-process.ts';
import type { AbandonedContainer, AbandonedLayer } from './take-over-watch.ts';

const lookEveryMs = 1000;

type Asked = Pick<ContainerEngine, 'findContainers' | 'findActivity'>;

/**
 * What is to be watched of a container that was not known to run when its run-node was stopped. Waits for as long as there
 * is one and the engine does not say that it runs: the run-node may go on and start it. Undefined when it is gone.
 */
export async function findAbandonedLayer(
  engine: Asked,
  wanted: AbandonedContainer,
  everyMs = lookEveryMs,
): Promise<AbandonedLayer | undefined> {
  for (;;) {
    // An engine that does not answer now does so later; until then nobody can say that nothing runs.
    const found = await findPid(engine, wanted).catch(() => 'unknown' as const);
    if (found === 'gone') return undefined;
    const layer = typeof found === 'number' ? await describeLayer(wanted, found) : undefined;
    if (layer !== undefined) return layer;
    await pause(everyMs);
  }
}

async function findPid(engine: Asked, { job, name, token }: AbandonedContainer): Promise<number | 'idle' | 'gone'> {
  const containers = await engine.findContainers({ [labels.job]: job, [labels.token]: token });
  const container = containers.find((each) => each.name === name);
  if (container === undefined) return 'gone';
  const activity = await engine.findActivity(container.id);
  if (activity === undefined) return 'gone';
  return activity.kind === 'ended' ? 'idle' : activity.pid;
}

/** By the kernel's word; undefined when the process has just ended. */
async function describeLayer(
  { job, uid, bounds }: AbandonedContainer,
  pid: number,
): Promise<AbandonedLayer | undefined> {
  const [first, root, mounts] = await Promise.all([
    readProcess(pid),
    findRootMount(pid),
    readKernelFile(`/proc/${pid}/mountinfo`),
  ]);
  const directory = findUpperDirectory(mounts ?? '');
  if (first === undefined || root === undefined || directory === undefined) return undefined;
  return { job, uid, directory, pid, startTicks: first.startTicks, root, bounds };
}
