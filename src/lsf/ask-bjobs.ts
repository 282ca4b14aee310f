import { execa } from 'execa';
import { asClause, JobError } from '../shared/errors.ts';
import { findProgram } from '../shared/find-program.ts';
import { bjobsForms, isUnknownJob } from './bjobs-forms.ts';
import type { BjobsForm, JobFacts } from './bjobs-forms.ts';

export interface BjobsOptions {
  /** Directories of LSF's commands: site.yaml `scheduler.commandPath`. The caller has made sure that they are root's. */
  readonly commandPath: string;
  /** Directory of lsf.conf; empty where it is LSF's own default. */
  readonly confDirectory: string;
}

/** One question to mbatchd; it would be repeated by bjobs for ever. */
const deadlineMs = 10_000;

/**
 * What LSF says of a job, by the first form that this release of bjobs understands; undefined when it knows no such job.
 * Fails with `SCHEDULER_UNREACHABLE`.
 */
export async function askBjobs(options: BjobsOptions, schedulerJobId: string): Promise<JobFacts | undefined> {
  for (const form of bjobsForms) {
    const jobs = await ask(options, form, schedulerJobId);
    if (jobs === 'refused') continue;
    const job = jobs.find((each) => isAskedFor(each, schedulerJobId));
    if (job === undefined || form.hostsBy === undefined) return job;
    const shown = await ask(options, form.hostsBy, schedulerJobId);
    // It may have been moved between the two answers: then they are of different times.
    const same = shown === 'refused' ? undefined : shown.find(({ id, state }) => id === job.id && state === job.state);
    if (same === undefined) throw unreachable(schedulerJobId, 'two answers of bjobs do not agree');
    return { ...job, execHosts: same.execHosts };
  }
  throw unreachable(schedulerJobId, 'bjobs refuses every form of the question');
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
  const bjobs = findProgram('bjobs', commandPath);
  if (bjobs === undefined) throw unreachable(schedulerJobId, `bjobs is not in any of ${commandPath}`);
  const result = await execa(bjobs, [...form.options, schedulerJobId], {
    // Nothing of a caller's environment: LSF_ENVDIR could name another cluster, LSB_BJOBS_FORMAT another answer.
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', ...(confDirectory === '' ? {} : { LSF_ENVDIR: confDirectory }) },
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
    timeout: deadlineMs,
    forceKillAfterDelay: 500,
    maxBuffer: 16 * 1024 ** 2,
  });
  if (result.timedOut) throw unreachable(schedulerJobId, `no answer within ${deadlineMs / 1000} s`);
  // Some releases print what they know of, and end with 255 all the same when a job is not known.
  if (!result.failed || result.exitCode === 255) {
    const jobs = result.stdout.trim() === '' && result.failed ? undefined : form.parse(result.stdout);
    if (jobs !== undefined) return jobs;
  }
  if (result.isTerminated || result.isMaxBuffer) throw unreachable(schedulerJobId, asClause(result.shortMessage));
  if (result.stderr.split('\n').some(isUnknownJob)) return [];
  if (/usage|illegal option|invalid option|not a valid field|unknown field|unrecognized option/i.test(result.stderr))
    return 'refused';
  const said = result.stderr.trim().split('\n', 1)[0] ?? '';
  throw unreachable(
    schedulerJobId,
    said || (result.failed ? asClause(result.shortMessage) : 'bjobs gave an answer that cannot be read'),
  );
}

function unreachable(schedulerJobId: string, reason: string): JobError {
  return new JobError({
    code: 'SCHEDULER_UNREACHABLE',
    message: `LSF could not be asked about job ${schedulerJobId}: ${reason}.`,
    hint: 'Try again when LSF answers: bjobs, badmin showstatus. (Administrators: scheduler.commandPath and scheduler.lsf.confDirectory in site.yaml.)',
  });
}
