import { askScheduler, firstWords, unreachable } from '../confirmation/ask-scheduler.ts';
import type { AskedScheduler } from '../confirmation/ask-scheduler.ts';
import { findCommand } from '../confirmation/find-command.ts';
import { bjobsForms, isUnknownJob } from './bjobs-forms.ts';
import type { BjobsForm, JobFacts } from './bjobs-forms.ts';

export interface BjobsOptions {
  /** Directories of LSF's commands: site.yaml `scheduler.commandPath`. The caller has made sure that they are root's. */
  readonly commandPath: string;
  /** Directory of lsf.conf; empty where it is LSF's own default. */
  readonly confDirectory: string;
}

export const lsf: AskedScheduler = {
  name: 'lsf',
  label: 'LSF',
  command: 'bjobs',
  hint: 'Try again when LSF answers: bjobs, badmin showstatus. (Administrators: scheduler.commandPath and scheduler.lsf.confDirectory in site.yaml.)',
};

/**
 * What LSF says of a job, by the first form that this release of bjobs understands; undefined when it knows no such job.
 * Fails with `SCHEDULER_UNREACHABLE`.
 */
export async function askBjobs(options: BjobsOptions, schedulerJobId: string): Promise<JobFacts | undefined> {
  for (const form of bjobsForms) {
    const jobs = await ask(options, form, schedulerJobId);
    if (jobs === 'refused') continue;
    const job = jobs.find((each) => isAskedFor(each, schedulerJobId));
    // Under both names one element would have its slots twice. Neither "known" nor "unknown" is sure here.
    if (job?.mayBeElement === true && !schedulerJobId.includes('['))
      throw unreachable(lsf, schedulerJobId, 'bjobs does not tell whether it is an element of an array');
    if (job === undefined || form.hostsBy === undefined) return job;
    const shown = await ask(options, form.hostsBy, schedulerJobId);
    // It may have been moved between the two answers: then they are of different times.
    const same = shown === 'refused' ? undefined : shown.find(({ id, state }) => id === job.id && state === job.state);
    if (same === undefined) throw unreachable(lsf, schedulerJobId, 'two answers of bjobs do not agree');
    return { ...job, execHosts: same.execHosts };
  }
  throw unreachable(lsf, schedulerJobId, 'bjobs refuses every form of the question');
}

/** The id of an array stands for all its elements; only the very job that was asked for counts. */
function isAskedFor({ id, index }: JobFacts, schedulerJobId: string): boolean {
  const [, wantedId, wantedIndex = '0'] = /^(\d+)(?:\[(\d+)\])?$/.exec(schedulerJobId) ?? [];
  // Releases differ in whether the id of an element carries its index.
  const [, shownId, shownIndex = index] = /^(\d+)(?:\[(\d+)\])?$/.exec(id) ?? [];
  return shownId === wantedId && (shownIndex === undefined || shownIndex === wantedIndex);
}

async function ask(
  { commandPath, confDirectory }: BjobsOptions,
  form: BjobsForm,
  schedulerJobId: string,
): Promise<readonly JobFacts[] | 'refused'> {
  // LSF_ENVDIR of a caller could name another cluster. Without a deadline bjobs would repeat its question for ever.
  const { exitCode, stdout, stderr } = await askScheduler(lsf, schedulerJobId, {
    file: findCommand('bjobs', lsf.label, commandPath),
    argv: [...form.options, schedulerJobId],
    ...(confDirectory === '' ? {} : { environment: { LSF_ENVDIR: confDirectory } }),
  });
  // Some releases print what they know of, and end with 255 all the same when a job is not known.
  if (exitCode === 0 || exitCode === 255) {
    const jobs = stdout.trim() === '' && exitCode !== 0 ? undefined : form.parse(stdout);
    if (jobs !== undefined) return jobs;
  }
  if (stderr.split('\n').some(isUnknownJob)) return [];
  if (/usage|illegal option|invalid option|not a valid field|unknown field|unrecognized option/i.test(stderr))
    return 'refused';
  const said = firstWords(lsf, { exitCode, stdout, stderr });
  const isSilent = exitCode === 0 && stderr.trim() === '';
  throw unreachable(lsf, schedulerJobId, isSilent ? 'bjobs gave an answer that cannot be read' : said);
}
