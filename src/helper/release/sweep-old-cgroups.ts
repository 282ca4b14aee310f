import { readdir, readFile } from 'node:fs/promises';
import type { Hierarchy } from '../../cgroup/hierarchies.ts';
import { cgroupRoot, listHierarchies } from '../../cgroup/hierarchies.ts';
import { removeEmptyTree, removeUpwards } from '../../cgroup/sweep.ts';
import { parseJobKey } from '../../contract/job-key.ts';
import { markReaping } from '../host/reaping-mark.ts';
import type { HelperContext } from '../open-context.ts';

/** Schedulers make these themselves wherever they use cgroups, and take them away. */
const schedulersOwn: readonly string[] = ['freezer', 'cpuset', 'memory', 'cpuacct', 'cpu,cpuacct'];
/** No scheduler puts a job deeper, also in a container of its own. */
const deepest = 6;
/** The next round does the rest. */
const mostJobs = 200;

/**
 * Removes cgroups of jobs that are over and in which nothing runs. In hierarchies that the scheduler does not use, earlier
 * releases of this package have left one of each job; in its own ones it leaves a job's when a container was still in it.
 * Resolves to the scheduler's ids of those jobs. Never fails.
 */
export async function sweepOldCgroups(
  { authorities, audit }: Pick<HelperContext, 'authorities' | 'audit'>,
  root = cgroupRoot,
): Promise<readonly string[]> {
  const byJob = new Map<string, OldCgroup[]>();
  for (const hierarchy of await listHierarchies(root))
    for (const old of await findOldCgroups(hierarchy, authorities))
      byJob.set(old.schedulerJobId, [...(byJob.get(old.schedulerJobId) ?? []), old]);
  const swept: string[] = [];
  for (const [id, places] of [...byJob].slice(0, mostJobs)) {
    // An element of an array has a key of its own, which its id does not tell: it is not started while it is over.
    const job = parseJobKey(id);
    await using _mark = job === undefined ? noMark : await markReaping(job);
    if (!(await authorities.isOver(id, undefined).catch(() => false))) continue;
    for (const { hierarchy, path, isSchedulers } of places) {
      await removeEmptyTree(`${hierarchy}${path}`);
      if (!isSchedulers) await removeUpwards(hierarchy, path);
    }
    swept.push(id);
  }
  if (swept.length > 0) audit.record('cgroups-swept', { jobs: swept });
  return swept;
}

const noMark: AsyncDisposable = { [Symbol.asyncDispose]: () => Promise.resolve() };

/** A job's cgroup in which nothing runs. */
interface OldCgroup {
  readonly schedulerJobId: string;
  /** Directory of its hierarchy. */
  readonly hierarchy: string;
  readonly path: string;
  /** True where the scheduler has its jobs: what is above belongs to it. */
  readonly isSchedulers: boolean;
}

async function findOldCgroups(
  { name, directory }: Hierarchy,
  authorities: Pick<HelperContext['authorities'], 'findJobCgroup'>,
): Promise<readonly OldCgroup[]> {
  const jobs = await findJobs(directory, authorities);
  // One job in which the scheduler has something of its own shows that it uses this hierarchy.
  const isSchedulers = schedulersOwn.includes(name) || jobs.some((job) => job.isUnified || job.isSchedulers);
  return jobs
    .filter(({ isBusy, hasContainers }) => !isBusy && (isSchedulers || !hasContainers))
    .map(({ schedulerJobId, path }) => ({ schedulerJobId, hierarchy: directory, path, isSchedulers }));
}

interface FoundJob {
  readonly schedulerJobId: string;
  readonly path: string;
  /** True for a path as the scheduler makes it on cgroup v2. */
  readonly isUnified: boolean;
  /** True when something runs in it. */
  readonly isBusy: boolean;
  /** True when there is a container's cgroup in it. */
  readonly hasContainers: boolean;
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
  const v1 = path === '' ? undefined : authorities.findJobCgroup(`1:any:${path}`);
  const cgroup = v1 ?? (path === '' ? undefined : authorities.findJobCgroup(`0::${path}`));
  if (cgroup?.path === path) {
    const isBusy = await isPopulated(`${hierarchy}${path}`);
    const containers = children.filter((name) => /^(?:docker-)?[0-9a-f]{64}/.test(name));
    const isSchedulers = isBusy || children.length > containers.length;
    const { schedulerJobId } = cgroup;
    // Whether a job is over is asked by its id: what has only a SLUID is the epilog's, and the scheduler's.
    if (schedulerJobId === undefined) return [];
    const hasContainers = containers.length > 0;
    return [{ schedulerJobId, path, isUnified: v1 === undefined, isBusy, hasContainers, isSchedulers }];
  }
  if (depth >= deepest) return [];
  const found: FoundJob[] = [];
  for (const name of children) found.push(...(await findJobs(hierarchy, authorities, `${path}/${name}`, depth + 1)));
  return found;
}

/** True when a process is in this cgroup, or in one below it, and when that cannot be told. */
async function isPopulated(directory: string): Promise<boolean> {
  const events = await readFile(`${directory}/cgroup.events`, 'utf8').catch(() => undefined);
  if (events !== undefined) return !/^populated 0$/m.test(events);
  const processes = await readFile(`${directory}/cgroup.procs`, 'utf8').catch(noneIfMissing);
  if (processes !== '') return true;
  for (const name of await listChildren(directory)) if (await isPopulated(`${directory}/${name}`)) return true;
  return false;
}

/** One that has just gone has none; what cannot be read may have some. */
function noneIfMissing(error: unknown): string {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? '' : 'unknown';
}

async function listChildren(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
