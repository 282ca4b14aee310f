import { asClause } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { labels } from '../../contract/labels.ts';
import { removeEmptyCgroups } from '../../cgroup/sweep.ts';
import { networkNames } from '../../network/known-networks.ts';
import { listHelperMarks, removeHelperMarks } from '../host/helper-marks.ts';
import type { HelperContext } from '../open-context.ts';
import { jobRunDirectory, removeNodeFiles } from '../host/run-directory.ts';
import { endStillHelpers } from './end-still-helpers.ts';

/**
 * Takes away all that a job has on this host, found by label and name alone: containers, then networks, then files.
 * The job's run directory stays as the trace until the store has been told (`forgetJobHere`). Repeat-safe. Returns what
 * could not be taken away; one failure does not stop the rest.
 */
export async function releaseHere(
  context: HelperContext,
  job: JobKey,
  { nodeIndex }: { readonly nodeIndex?: number } = {},
): Promise<readonly string[]> {
  const leftovers: string[] = [];
  const cgroups = new Map<string, readonly string[] | undefined>();
  const attempt = async (what: string, action: () => Promise<void>): Promise<void> => {
    try {
      await action();
    } catch (error) {
      leftovers.push(`${what}: ${asClause(error)}`);
    }
  };
  const runDirectory = jobRunDirectory(job);
  // Before the containers: a helper whose mark comes later holds none of those that are found.
  const marks = await listHelperMarks(runDirectory);
  await attempt('containers', async () => {
    const found = await context.engine.findContainers({ [labels.job]: job });
    for (const { labels: own } of found)
      cgroups.set(own[labels.cgroup] ?? '', own[labels.schedulerCgroups]?.split(' ').filter(Boolean));
    const removed = new AbortController();
    const helpersEnded = attempt('helper', async () => {
      await endStillHelpers(context, job, { marks, removed: removed.signal });
    });
    await Promise.all(
      found.map(
        async ({ id, name }) =>
          await attempt(`container ${name}`, async () => await context.engine.removeContainer(id)),
      ),
    );
    removed.abort();
    await helpersEnded;
  });
  if (leftovers.length === 0) await attempt('marks', async () => await removeHelperMarks(runDirectory, marks));
  // A network outlives its containers' removal, never the other way round.
  for (const name of networkNames) {
    await attempt(`${name} network`, async () => {
      const driver = context.network(name);
      await driver.release(job);
      leftovers.push(...(await driver.findLeftovers(job)));
    });
  }
  await attempt('runtime files', async () => await removeNodeFiles(job, nodeIndex));
  for (const [path, schedulers] of cgroups) await removeEmptyCgroups(path, schedulers);
  return leftovers;
}
