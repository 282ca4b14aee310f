import { readFile } from 'node:fs/promises';
import { JobError } from '../values/errors.ts';
import { isAtOrBelow, parseCgroups } from './hierarchies.ts';

/** Fails with `HOST_UNFIT` unless the process really runs below `parent` in every controller that the job uses. */
export async function verifyBelow(pid: number, parent: string | undefined): Promise<void> {
  if (parent === undefined) return;
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  const own = await readFile('/proc/self/cgroup', 'utf8');
  const controllersOfJob = parseCgroups(own).filter((place) => isAtOrBelow(place, parent));
  const placed = new Map(parseCgroups(text).map(({ controllers, path }) => [controllers, path]));
  if (text === '') return; // it has ended already: nothing escaped
  const outside = controllersOfJob.filter(
    ({ controllers }) => placed.get(controllers)?.startsWith(`${parent}/`) !== true,
  );
  if (outside.length === 0) return;
  throw new JobError({
    code: 'HOST_UNFIT',
    message: `The container is not under the job's limits: ${outside.map(({ controllers }) => controllers || 'unified').join(', ')} outside ${parent}.`,
    hint: 'Check cgroup-parent and the cgroup driver of dockerd on this host.',
  });
}
