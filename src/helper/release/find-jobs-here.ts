import { networkNames } from '../../network/known-networks.ts';
import { asClause, asJobError } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { parseJobKey } from '../../contract/job-key.ts';
import { labels } from '../../contract/labels.ts';
import type { HelperContext } from '../open-context.ts';
import { listRunDirectories } from '../host/run-directory.ts';

/** What was found on this host, by whatever could be asked. */
export interface JobsHere {
  /** With the scheduler's id of each; undefined where only its network is left and the key does not tell it. */
  readonly jobs: ReadonlyMap<JobKey, string | undefined>;
  /** What could not be asked, and why. */
  readonly unasked: readonly string[];
  /** The first failure itself. */
  readonly failure: unknown;
}

/** Every job of ours that has a run directory, a container or a network on this host. Never fails. */
export async function findAllJobsHere(context: HelperContext): Promise<JobsHere> {
  const jobs = new Map(await listRunDirectories());
  const unasked: string[] = [];
  let failure: unknown;
  const ask = async (what: string, question: () => Promise<void>): Promise<void> => {
    try {
      await question();
    } catch (error) {
      failure ??= error;
      unasked.push(`${what}: ${asClause(error)}`);
    }
  };
  const add = (job: JobKey | undefined, schedulerJobId: string | undefined): void => {
    if (job !== undefined) jobs.set(job, jobs.get(job) ?? schedulerJobId ?? (job.includes('_') ? undefined : job));
  };
  await Promise.all([
    ...networkNames.map(
      async (name) =>
        await ask(`${name} networks`, async () => {
          for (const job of await context.network(name).findJobs()) add(job, undefined);
        }),
    ),
    ask('containers', async () => {
      for (const container of await context.engine.findContainers({}))
        add(parseJobKey(container.labels[labels.job] ?? ''), container.labels[labels.schedulerJob]);
    }),
  ]);
  for (const [job, id] of jobs) add(job, id);
  return { jobs, unasked, failure };
}

/**
 * Jobs of ours on this host that the scheduler knows by this id; usually one or none. A host without any trace of the
 * job has none, even when its Docker Engine is away; fails as the engine does when other traces say that it is needed.
 */
export async function findJobsHere(context: HelperContext, schedulerJobId: string): Promise<readonly JobKey[]> {
  const { jobs, unasked, failure } = await findAllJobsHere(context);
  const found = [...jobs].filter(([, id]) => id === schedulerJobId).map(([job]) => job);
  if (unasked.length > 0) {
    if (found.length > 0) throw asJobError(failure);
    process.stderr.write(
      `hpc-dockerjob-helper: no trace of the job, but not everything could be checked: ${unasked.join('; ')}\n`,
    );
  }
  return found;
}
