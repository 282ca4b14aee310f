import { readFile } from 'node:fs/promises';
import type { SiteConfig } from '../../config/site-schema.ts';
import type { JobCgroup, SchedulerAuthority } from '../../ports/scheduler.ts';
import { JobError } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';
import type { HelperContext } from '../open-context.ts';

const insideHint =
  'Call hpc-submit-dockerjob in the batch script of that job. (Administrators: the scheduler must put jobs into cgroups, Slurm by ProctrackType=proctrack/cgroup, LSF by LSF_LINUX_CGROUP_ACCT=Y; else scheduler.requireJobCgroup: false.)';

/**
 * The job's cgroup, in which this very process runs: the kernel's word that the caller is inside the job on this
 * host. Undefined only when the site does not ask for it (`scheduler.requireJobCgroup: false`).
 */
export async function requireJobCgroup(
  site: SiteConfig,
  authority: Pick<SchedulerAuthority, 'findJobCgroup' | 'nameCgroup'>,
  expected: { readonly schedulerJobId: string; readonly uid: number; readonly job: string },
): Promise<JobCgroup | undefined> {
  const cgroup = authority.findJobCgroup(await readFile('/proc/self/cgroup', 'utf8'));
  const isNameless = cgroup !== undefined && cgroup.schedulerJobId === undefined;
  const found = isNameless
    ? await authority.nameCgroup?.(cgroup, expected.schedulerJobId).catch((error: unknown) => {
        if (site.scheduler.requireJobCgroup) throw error;
        return undefined;
      })
    : cgroup;
  const isThatJob =
    found?.schedulerJobId === expected.schedulerJobId && (found.uid === undefined || found.uid === expected.uid);
  if (isThatJob) return found;
  if (!site.scheduler.requireJobCgroup) return undefined;
  throw new JobError({
    code: 'JOB_NOT_YOURS',
    message:
      found === undefined
        ? isNameless
          ? `The cgroup of this process is that of another job than ${expected.job}.`
          : `This process is in no job's cgroup, so it is not part of job ${expected.job}.`
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
  // The key of an array's element does not tell the scheduler's id: the plan does, later.
  if (isElement(job) && found?.sluid !== undefined) return;
  const schedulerJobId = isElement(job) ? (found?.schedulerJobId ?? '') : job;
  await requireJobCgroup(site, authorities, { schedulerJobId, uid: caller.uid, job });
}

/** True when a user whom `refuseOutsiders` has let through is in this very job, by the kernel's word. */
export function isProvenInside({ scheduler }: SiteConfig, job: JobKey): boolean {
  return scheduler.requireJobCgroup && !isElement(job);
}

function isElement(job: JobKey): boolean {
  return job.includes('_');
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
