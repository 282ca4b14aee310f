import { execa } from 'execa';
import type * as z from 'zod';
import type { JobRecord } from '../../contract/job-record.ts';
import { jobRecordSchema } from '../../contract/job-record.ts';
import type { ShownLine } from '../../contract/shown-job.ts';
import { shownLineSchema } from '../../contract/shown-job.ts';
import { findJsonAs } from '../../values/parse-json-as.ts';
import { asClause, JobError } from '../../values/errors.ts';

const deadlineMs = 60_000;
/** A thousand jobs of many hosts each. */
const mostBytes = 256 * 1024 ** 2;

/**
 * What the helper shows of jobs, by the command line that is given. Fails with `HELPER_UNAVAILABLE`, or with the helper's
 * own code when it refuses.
 */
export async function askJobs(
  call: readonly [string, ...string[]],
  environment: NodeJS.ProcessEnv = {},
): Promise<readonly ShownLine[]> {
  return await ask(call, shownLineSchema, environment);
}

/** The records of jobs that are over. Fails as `askJobs` does. */
export async function askRecords(call: readonly [string, ...string[]]): Promise<readonly JobRecord[]> {
  return await ask(call, jobRecordSchema);
}

async function ask<Schema extends z.ZodType>(
  [file, ...argv]: readonly [string, ...string[]],
  schema: Schema,
  environment: NodeJS.ProcessEnv = {},
): Promise<readonly z.output<Schema>[]> {
  const result = await execa(file, argv, {
    ...{ stdin: 'ignore', reject: false, timeout: deadlineMs, forceKillAfterDelay: 1000, maxBuffer: mostBytes },
    env: environment,
  });
  if (result.timedOut) throw unavailable(`no answer within ${deadlineMs / 1000} s`);
  if (result.exitCode !== 0) throw readRefusal(result.stderr, asClause(result.shortMessage));
  return result.stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => readLine(line, schema));
}

/** The last line of the helper ends with its code; those of sudo and of a scheduler's launcher have none. */
function readRefusal(stderr: string, otherwise: string): JobError {
  const lines = stderr.trim().split('\n');
  for (const line of lines.toReversed()) {
    const [, message, code] = /^hpc-dockerjob-helper: (.*) \[([A-Z_]+)\]$/.exec(line) ?? [];
    if (message !== undefined && code !== undefined) return JobError.fromWire({ code, message });
  }
  const last = lines.at(-1) ?? '';
  return unavailable(last === '' ? otherwise : last);
}

function readLine<Schema extends z.ZodType>(line: string, schema: Schema): z.output<Schema> {
  const shown = findJsonAs(schema, line);
  if (shown !== undefined) return shown;
  throw new JobError({
    code: 'HELPER_UNAVAILABLE',
    message: 'The helper on this host gave an answer that cannot be read.',
    hint: 'Middleware and helper may be of different releases. Install the package again, then run hpc-dockerjob-setup.',
  });
}

function unavailable(reason: string): JobError {
  return new JobError({
    code: 'HELPER_UNAVAILABLE',
    message: `The helper could not be used on this host: ${asClause(reason)}.`,
    hint: 'Call it on a host of the cluster on which hpc-dockerjob-setup has run (it installs the sudo rule).',
  });
}
