/** bjobs: shows jobs. */
import { askMaster } from './ask-master.ts';
import { parseBjobs } from './bjobs-options.ts';
import type { BjobsOptions } from './bjobs-options.ts';
import { failureStatus } from './command-error.ts';
import { renderFields, renderJson, renderLong, renderPlain, renderWide } from './format-jobs.ts';
import { nameJob } from './job.ts';
import type { JobRecord } from './job.ts';
import { hasEnded } from './queued-job.ts';
import type { Settings } from './settings.ts';

/** Prints the jobs that are asked for; 255 when one of them is not there. */
export async function bjobs(settings: Settings, argv: readonly string[]): Promise<number> {
  const options = parseBjobs(argv);
  const answer = (await askMaster(settings, { type: 'jobs' })) as unknown as { jobs: JobRecord[]; user: string };
  const { found, missing } = selectJobs(answer.jobs, options, answer.user);
  for (const job of missing) process.stderr.write(`Job <${job}> is not found\n`);
  if (found.length === 0 && missing.length === 0) process.stderr.write('No unfinished job found\n');
  if (found.length > 0 || options.form === 'json') process.stdout.write(`${render(settings, found, options)}\n`);
  return missing.length > 0 ? failureStatus : 0;
}

/** Named jobs in every state and of everybody; else the unfinished ones of one user, with `-a` the finished ones, too. */
export function selectJobs(
  jobs: readonly JobRecord[],
  options: BjobsOptions,
  caller: string,
): { found: JobRecord[]; missing: string[] } {
  if (options.jobs.length > 0) {
    const matches = (job: JobRecord, name: string): boolean => name === nameJob(job) || name === String(job.id);
    return {
      found: jobs.filter((job) => options.jobs.some((name) => matches(job, name))),
      missing: options.jobs.filter((name) => !jobs.some((job) => matches(job, name))),
    };
  }
  const user = options.user ?? caller;
  const fits = (job: JobRecord): boolean =>
    options.states.length > 0 ? options.states.includes(job.status) : options.all || !hasEnded(job);
  return { found: jobs.filter((job) => fits(job) && (user === 'all' || job.user === user)), missing: [] };
}

function render(settings: Settings, jobs: readonly JobRecord[], options: BjobsOptions): string {
  const { likeIbm } = settings;
  switch (options.form) {
    case 'plain':
      return renderPlain(jobs);
    case 'wide':
      return renderWide(jobs);
    case 'long':
      return jobs.map(renderLong).join('\n');
    case 'fields':
      return renderFields(jobs, options.fields, {
        delimiter: options.delimiter,
        hasHeader: options.hasHeader,
        likeIbm,
      });
    case 'json':
      return renderJson(jobs, options.fields, likeIbm);
  }
}
