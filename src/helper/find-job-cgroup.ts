import { readdir, readFile, rmdir } from 'node:fs/promises';
import type { SiteConfig } from '../config/site-schema.ts';
import type { ContainerEngine } from '../ports/container-engine.ts';
import type { JobCgroup, SchedulerAuthority } from '../ports/scheduler.ts';
import { JobError } from '../shared/errors.ts';
import type { JobKey } from '../shared/job-key.ts';
import type { HelperContext } from './open-context.ts';

const insideHint =
  'Call hpc-submit-dockerjob in the batch script of that job. (Administrators: the scheduler must put jobs into cgroups, Slurm by ProctrackType=proctrack/cgroup, LSF by LSF_LINUX_CGROUP_ACCT=Y; else scheduler.requireJobCgroup: false.)';

/**
 * The job's cgroup, in which this very process runs: the kernel's word that the caller is inside the job on this
 * host. Undefined only when the site does not ask for it (`scheduler.requireJobCgroup: false`).
 */
export async function requireJobCgroup(
  site: SiteConfig,
  authority: Pick<SchedulerAuthority, 'findJobCgroup'>,
  expected: { readonly schedulerJobId: string; readonly uid: number; readonly job: string },
): Promise<JobCgroup | undefined> {
  const found = authority.findJobCgroup(await readFile('/proc/self/cgroup', 'utf8'));
  const isThatJob =
    found?.schedulerJobId === expected.schedulerJobId && (found.uid === undefined || found.uid === expected.uid);
  if (isThatJob) return found;
  if (!site.scheduler.requireJobCgroup) return undefined;
  throw new JobError({
    code: 'JOB_NOT_YOURS',
    message:
      found === undefined
        ? `This process is in no job's cgroup, so it is not part of job ${expected.job}.`
        : `This process is part of job ${found.schedulerJobId}, not of job ${expected.job}.`,
    hint: insideHint,
  });
}

type Outside = Pick<HelperContext, 'site' | 'authorities' | 'caller'>;

/**
 * Fails with `JOB_NOT_YOURS` when a user's call comes from within no job of that user, or of another name: to be asked
 * before anything is waited for, since processes of root's count for none of a user's limits. Says nothing of owners.
 */
export async function refuseOutsiders({ site, authorities, caller }: Outside, job: JobKey): Promise<void> {
  if (caller.kind === 'root' || !site.scheduler.requireJobCgroup) return;
  const found = authorities.findJobCgroup(await readFile('/proc/self/cgroup', 'utf8'));
  // The key of an array's element does not tell the scheduler's id.
  const schedulerJobId = job.includes('_') ? (found?.schedulerJobId ?? '') : job;
  await requireJobCgroup(site, authorities, { schedulerJobId, uid: caller.uid, job });
}

/** The same before it is known for which job the call is: it must come from within any job of that user. */
export async function refuseFromOutsideOfJobs({ site, authorities, caller }: Outside): Promise<void> {
  if (caller.kind === 'root' || !site.scheduler.requireJobCgroup) return;
  const found = authorities.findJobCgroup(await readFile('/proc/self/cgroup', 'utf8'));
  if (found !== undefined && (found.uid === undefined || found.uid === caller.uid)) return;
  throw new JobError({
    code: 'JOB_NOT_YOURS',
    message: `This process is in no job's cgroup${found === undefined ? '' : ' of yours'}, so it cannot open a job. This site serves jobs of ${servedOf(site)}.`,
    hint: insideHint,
  });
}

function servedOf({ scheduler: { kind } }: SiteConfig): string {
  return kind === 'auto' ? 'every scheduler that it knows' : kind;
}

/**
 * Parent cgroup for the job's containers; undefined where the engine cannot put them below the job and the site does
 * not ask for it. Where the site does, the engine's refusal and `checkPlacement` tell: asking it first would cost time.
 */
export async function findCgroupParent(
  { site, engine }: { readonly site: SiteConfig; readonly engine: ContainerEngine },
  cgroup: JobCgroup | undefined,
): Promise<string | undefined> {
  if (cgroup === undefined || site.scheduler.requireJobCgroup) return cgroup?.path;
  const { cgroupDriver } = await engine.ping();
  return cgroupDriver === 'cgroupfs' ? cgroup.path : undefined;
}

/** Fails with `HOST_UNFIT` unless the process really runs below `parent` in every controller that the job uses. */
export async function checkPlacement(pid: number, parent: string | undefined): Promise<void> {
  if (parent === undefined) return;
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  const own = await readFile('/proc/self/cgroup', 'utf8');
  const controllersOfJob = parseCgroups(own).filter(({ path }) => path === parent || path.startsWith(`${parent}/`));
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

function parseCgroups(text: string): { readonly controllers: string; readonly path: string }[] {
  return text
    .split('\n')
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map((match) => ({ controllers: match[1] ?? '', path: match[2] ?? '' }));
}

/** Controllers in which schedulers make and remove the job's cgroups themselves. */
const schedulersOwn = new Set(['freezer', 'cpuset', 'memory', 'devices', 'cpuacct', 'cpu,cpuacct', 'unified']);

/**
 * Docker makes the parent in every cgroup v1 controller, also where the scheduler has none: those empty directories
 * are ours to remove. Removes upwards as far as directories are empty; anything else stays.
 */
export async function removeEmptyCgroups(path: string): Promise<void> {
  if (!/^(?:\/[A-Za-z0-9_.-]+)+$/.test(path) || path.includes('..')) return;
  const controllers = await readdir('/sys/fs/cgroup').catch(() => []);
  for (const controller of controllers) {
    if (schedulersOwn.has(controller)) continue;
    for (let current = path; current !== ''; current = current.slice(0, current.lastIndexOf('/'))) {
      const isGone = await rmdir(`/sys/fs/cgroup/${controller}${current}`).then(
        () => true,
        (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT',
      );
      if (!isGone) break;
    }
  }
}
