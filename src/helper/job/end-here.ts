import { access, readFile, rename, rm, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import type { JobEnd } from '../../contract/helper-events.ts';
import { jobEndSchema } from '../../contract/helper-events.ts';
import type { JobKey } from '../../contract/job-key.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import { masterRunDirectory } from '../host/run-directory.ts';
import { parseJsonAs } from '../../values/parse-json-as.ts';
import { retryUntil } from '../../system/retry-until.ts';

/**
 * The way of the command's end that needs no store: node 0 and the keeper are on the same host, and the job's run
 * directory is root's alone. The node writes the file, the keeper takes it away.
 */
const endFile = (job: JobKey): string => `${masterRunDirectory(job)}/end.json`;

/** With the token of the run: one that an earlier run of the job has left says nothing. */
const leftEndSchema = z.strictObject({ token: z.string(), end: jobEndSchema });

const lookEveryMs = 1000;

/** Leaves the end for the keeper; repeat-safe. */
export async function leaveEndHere({ job, token }: JobPlan, end: JobEnd): Promise<void> {
  const file = endFile(job);
  await writeFile(`${file}.new`, JSON.stringify({ token, end }), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** True when the end that was left here is no longer here: the keeper has it. */
export async function isEndTaken(job: JobKey): Promise<boolean> {
  return await access(endFile(job)).then(
    () => false,
    () => true,
  );
}

/** Takes the end that node 0 has left on this host; undefined when `over` aborts before there is one. */
export async function takeEndHere({ job, token }: JobPlan, over: AbortSignal): Promise<JobEnd | undefined> {
  const take = async (): Promise<JobEnd | undefined> => {
    const text = await readFile(endFile(job), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    await rm(endFile(job), { force: true });
    const left = parseJsonAs(leftEndSchema, text);
    return left.token === token ? left.end : undefined;
  };
  return await retryUntil(take, { pauseMs: lookEveryMs, signal: over, keepsAlive: false }).catch((error: unknown) => {
    if (over.aborted) return undefined;
    throw error;
  });
}
