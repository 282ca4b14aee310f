import * as z from 'zod';
import { findJsonAs } from '../values/parse-json-as.ts';

/** What bjobs says of one job, in fields that LSF itself writes: no name, description or path of a user is asked for. */
export interface JobFacts {
  readonly id: string;
  /** 0 when it is no element of an array; undefined where this form does not tell it. */
  readonly index: string | undefined;
  readonly user: string;
  readonly state: string;
  /** Undefined where the answer does not tell it. */
  readonly queue: string | undefined;
  /** As shown; undefined where this form does not give all of them. */
  readonly execHosts: string | undefined;
  /** True where this form does not tell the index, and it may be an element of an array. */
  readonly mayBeElement?: boolean;
}

/** One of the ways in which releases of bjobs can be asked. */
export interface BjobsForm {
  readonly options: readonly string[];
  /** The jobs in the answer; undefined when it has another form than this one's. */
  parse(stdout: string): readonly JobFacts[] | undefined;
  /** Asked next for the hosts, where this form shows only the first. */
  readonly hostsBy?: BjobsForm;
}

const text = z.string().trim();
const record = z.object({
  JOBID: text,
  JOBINDEX: text.optional(),
  USER: text.optional(),
  STAT: text.optional(),
  QUEUE: text.optional(),
  EXEC_HOST: text.optional(),
  ERROR: z.string().optional(),
});
const jsonAnswer = z.object({ RECORDS: z.array(record) });

function parseJson(stdout: string, hasAllHosts: boolean): readonly JobFacts[] | undefined {
  const answer = findJsonAs(jsonAnswer, stdout);
  if (answer === undefined) return undefined;
  const jobs: JobFacts[] = [];
  for (const { JOBID, JOBINDEX, USER, STAT, QUEUE, EXEC_HOST, ERROR } of answer.RECORDS) {
    if (ERROR !== undefined) {
      // A job that is not known has a record of its own; so has a failure to ask.
      if (!isUnknownJob(ERROR)) return undefined;
      continue;
    }
    if (JOBINDEX === undefined || USER === undefined || STAT === undefined) return undefined;
    const execHosts = hasAllHosts ? (EXEC_HOST ?? '') : undefined;
    jobs.push({ id: JOBID, index: JOBINDEX || '0', user: USER, state: STAT, queue: QUEUE, execHosts });
  }
  return jobs;
}

/** What releases say of a job that is not, or no longer, known. */
export function isUnknownJob(message: string): boolean {
  return /^Job <\d+(?:\[\d+\])?> is not found\.?$/.test(message.trim()) || message.trim() === 'No matching job found';
}

/** `nexec_host` is not looked at: releases that know it show all hosts, and as slots, the others refuse it. */
const ownFields = 'jobid jobindex stat user queue exec_host nexec_host';

const json: BjobsForm = {
  options: ['-X', '-o', ownFields, '-json'],
  parse: (stdout) => parseJson(stdout, true),
};

const delimited: BjobsForm = {
  options: ['-X', '-noheader', '-o', `${ownFields} delimiter='|'`],
  parse: (stdout) => {
    const jobs = linesOf(stdout).map((line): JobFacts | undefined => {
      const values = line.split('|').map((value) => value.trim());
      const [id, index, state, user, queue, execHosts] = values;
      if (values.length !== 7 || id === undefined || state === undefined || user === undefined) return undefined;
      return {
        id,
        index: index === '-' || index === '' ? '0' : index,
        user,
        state,
        queue,
        execHosts,
      };
    });
    return jobs.every((job) => job !== undefined) ? jobs : undefined;
  },
};

/**
 * The form of old releases. The job's name stands in it, and may hold blanks and line ends: only what stands before it in
 * the first line counts. Whoever asks names one job, so that line is LSF's; more lines that look like jobs may be an
 * array's or a name's, so then nothing is known.
 */
const wide: BjobsForm = {
  options: ['-w'],
  parse: (stdout) => {
    const [header, first, ...more] = linesOf(stdout);
    if (header === undefined) return [];
    if (!/^JOBID\s+USER\s+STAT\s+QUEUE\s+FROM_HOST\s+EXEC_HOST\s+JOB_NAME\s/.test(header)) return undefined;
    const [id, user, state, queue, , execHosts] = first?.split(/\s+/) ?? [];
    if (id === undefined || user === undefined || state === undefined || more.some((line) => /^\d/.test(line)))
      return undefined;
    // `name[3]`. Asked for by the id of its array, the only element of one looks like a job of its own.
    const mayBeElement = /\[\d+\]/.test(stdout);
    return [{ id, index: undefined, user, state, queue, execHosts, mayBeElement }];
  },
};

const jsonFirstHostOnly: BjobsForm = {
  options: ['-o', 'jobid jobindex stat user queue', '-json'],
  parse: (stdout) => parseJson(stdout, false),
  hostsBy: wide,
};

/** The most telling first; a release that does not know one refuses its options at once. */
export const bjobsForms: readonly BjobsForm[] = [json, delimited, jsonFirstHostOnly, wide];

function linesOf(stdout: string): readonly string[] {
  return stdout.split('\n').filter((line) => line.trim() !== '');
}
