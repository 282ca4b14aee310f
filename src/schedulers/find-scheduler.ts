import type { SiteConfig } from '../config/site-schema.ts';
import type { Scheduler } from '../ports/scheduler.ts';
import { knownSchedulers } from './known-schedulers.ts';
import { JobError } from '../values/errors.ts';
import { schedulerNames } from '../contract/schedulers.ts';

/** The scheduler in whose job we run. Fails with `NOT_IN_A_JOB`. */
export async function findScheduler(environment: NodeJS.ProcessEnv): Promise<Scheduler> {
  const name = schedulerNames.find((each) => knownSchedulers[each].isInJob(environment));
  // As the user: the launcher is looked for where the user's own commands are.
  const commandPath = `${environment['PATH'] ?? ''}:/usr/bin:/bin`;
  if (name !== undefined) return await knownSchedulers[name].open(commandPath, readSettings);
  const known = schedulerNames.map((each) => knownSchedulers[each]);
  throw new JobError({
    code: 'NOT_IN_A_JOB',
    message: `This is not inside a job of a batch system: none of ${known.map(({ variable }) => variable).join(', ')} is in the environment.`,
    hint: `Call hpc-submit-dockerjob as the last line of a batch script and submit that: ${[...new Set(known.map(({ submit }) => submit))].join(', or ')}. What would happen without a job: hpc-submit-dockerjob explain.`,
  });
}

/** Of the policy only the launcher is used here, which the user could choose as well: the helper judges by its own copy. */
async function readSettings(): Promise<SiteConfig['scheduler']> {
  // Loaded only when asked for: every job's start waits for this program.
  const { defaultSitePath, loadSite } = await import('../config/load-site.ts');
  const { scheduler } = await loadSite(defaultSitePath, { mustBeTrusted: false });
  return scheduler;
}
