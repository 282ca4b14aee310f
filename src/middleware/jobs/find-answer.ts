import type { ShownLine } from '../../contract/shown-job.ts';
import { asJobError, JobError } from '../../values/errors.ts';
import { helperArgv } from '../call-helper.ts';
import { findPlace, findSources, readJob } from '../shell/find-place.ts';
import { askJobs } from './ask-jobs.ts';

/**
 * All that is known of a job, by the helper of this host; where that one knows nothing, or is none, by that of the job's
 * first host, which the scheduler's launcher reaches. Fails as the helper of this host does.
 */
export async function findAnswer(text: string): Promise<readonly ShownLine[]> {
  const job = readJob(text);
  try {
    return await askJobs(helperArgv('show-jobs', job));
  } catch (thrown) {
    const error = asJobError(thrown);
    if (error.code !== 'JOB_NOT_YOURS' && error.code !== 'HELPER_UNAVAILABLE') throw error;
    return (await askElsewhere(text)) ?? fail(job, error);
  }
}

async function askElsewhere(job: string): Promise<readonly ShownLine[] | undefined> {
  const place = await findPlace({ job, node: undefined }, findSources(process.env)).catch(() => undefined);
  if (place?.kind !== 'elsewhere') return undefined;
  const { file, argv, environment } = place.reach.launchBeside(
    place.reached,
    place.host,
    helperArgv('show-jobs', place.job),
  );
  return await askJobs([file, ...argv], environment);
}

function fail(job: string, error: JobError): never {
  if (error.code !== 'JOB_NOT_YOURS') throw error;
  throw new JobError({
    code: 'JOB_NOT_YOURS',
    message: `Job ${job} belongs to another user, or nothing is known of it here.`,
    hint: 'A job that is over is known on the host that opened it, its first one; on others where hosts share records.directory.',
  });
}
