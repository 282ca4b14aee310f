import { readdir, readFile } from 'node:fs/promises';
import { cgroupRoot, listHierarchies } from '../../cgroup/hierarchies.ts';
import { removeUpwards } from '../../cgroup/sweep.ts';
import type { JobCgroup } from '../../ports/scheduler.ts';
import { parseJobKey } from '../../contract/job-key.ts';
import { markReaping } from '../host/reaping-mark.ts';
import type { HelperContext } from '../open-context.ts';

/** Schedulers make these themselves wherever they use cgroups, and take them away. */
const schedulersOwn: readonly string[] = ['freezer', 'cpuset', 'memory', 'cpuacct', 'cpu,cpuacct'];
/** No scheduler puts a job deeper. */
const deepest = 5;
/** The next round does the rest. */
const mostJobs = 200;

/**
 * Removes empty cgroups of jobs that are over, in hierarchies that the scheduler does not use: earlier releases of this
 * package have left one of each job. Resolves to the scheduler's ids of those jobs. Never fails.
 */
export async function sweepOldCgroups(
  { authorities, audit }: Pick<HelperContext, 'authorities' | 'audit'>,
  root = cgroupRoot,
): Promise<readonly string[]> {
  const empty = new Map<string, string[]>();
  for (const hierarchy of await listHierarchies(root)) {
    if (schedulersOwn.includes(hierarchy)) continue;
    const jobs = await findJobs(`${root}/${hierarchy}`, authorities);
    // One job in which the scheduler has something of its own shows that it uses this hierarchy.
    if (jobs.some(({ isSchedulers }) => isSchedulers)) continue;
    for (const { cgroup, isEmpty } of jobs)
      if (isEmpty) {
        const places = empty.get(cgroup.schedulerJobId) ?? [];
        empty.set(cgroup.schedulerJobId, [...places, `${root}/${hierarchy}|${cgroup.path}`]);
      }
  }
  const swept: string[] = [];
  for (const [id, places] of [...empty].slice(0, mostJobs)) {
    // An element of an array has a key of its own, which its id does not tell: it is not started while it is over.
    const job = parseJobKey(id);
    await using _mark = job === undefined ? noMark : await markReaping(job);
    if (!(await authorities.isOver(id, undefined).catch(() => false))) continue;
    for (const place of places) {
      const [hierarchy = '', path = ''] = place.split('|');
      await removeUpwards(hierarchy, path);
    }
    swept.push(id);
  }
  if (swept.length > 0) audit.record('cgroups-swept', { jobs: swept });
  return swept;
}

const noMark: AsyncDisposable = { [Symbol.asyncDispose]: () => Promise.resolve() };

interface FoundJob {
  readonly cgroup: JobCgroup;
  readonly isEmpty: boolean;
  /** True when there are processes in it, or cgroups other than containers'. */
  readonly isSchedulers: boolean;
}

async function findJobs(
  hierarchy: string,
  authorities: Pick<HelperContext['authorities'], 'findJobCgroup'>,
  path = '',
  depth = 0,
): Promise<readonly FoundJob[]> {
  const children = await listChildren(`${hierarchy}${path}`);
  const cgroup = path === '' ? undefined : authorities.findJobCgroup(`1:any:${path}`);
  if (cgroup?.path === path) {
    const processes = await readFile(`${hierarchy}${path}/cgroup.procs`, 'utf8').catch(() => '');
    const isSchedulers = processes !== '' || children.some((name) => !/^(?:docker-)?[0-9a-f]{64}/.test(name));
    return [{ cgroup, isEmpty: children.length === 0 && processes === '', isSchedulers }];
  }
  if (depth >= deepest) return [];
  const found: FoundJob[] = [];
  for (const name of children) found.push(...(await findJobs(hierarchy, authorities, `${path}/${name}`, depth + 1)));
  return found;
}

async function listChildren(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
