import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import type { SiteConfig } from '../../config/site-schema.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { jobRecordSchema } from '../../contract/job-record.ts';
import type { JobRecord } from '../../contract/job-record.ts';
import { exitStatusOf } from '../../values/errors.ts';
import { findJsonAs } from '../../values/parse-json-as.ts';
import { readProcess } from '../host/read-process.ts';
import { jobRunDirectory } from '../host/run-directory.ts';
import { openRecordWriter } from './write-record.ts';

/** In the job's run directory, which stays for as long as it is there: what is told of the job when nobody ends it. */
const pendingFile = (job: JobKey): string => `${jobRunDirectory(job)}/record.json`;

const pendingSchema = z.strictObject({
  /** The keeper, which writes the record itself if it is not killed. */
  keeper: z.strictObject({ pid: z.number().int(), startTicks: z.string() }),
  record: jobRecordSchema,
});

/**
 * Leaves the record as it is if this process is killed; one that an earlier keeper has left is written out first. To be
 * undone by `removePendingRecord`. Never fails: it must not end a job.
 */
export async function leavePendingRecord(records: SiteConfig['records'], record: JobRecord): Promise<void> {
  if (records.directory === '') return;
  await writePendingRecord(records, record.job);
  const own = await readProcess('self');
  if (own === undefined) return;
  const file = pendingFile(record.job);
  const text = JSON.stringify({ keeper: { pid: own.pid, startTicks: own.startTicks }, record });
  await writeFile(`${file}.new`, text, { mode: 0o600 })
    .then(async () => await rename(`${file}.new`, file))
    .catch(() => undefined);
}

export async function removePendingRecord(job: JobKey): Promise<void> {
  for (const end of ['', '.new']) await rm(`${pendingFile(job)}${end}`, { force: true }).catch(() => undefined);
}

/**
 * Writes the record of a job whose keeper was killed, as by a scheduler that ends a cancelled job at once. Does nothing
 * where there is none, and while its keeper lives. To be called when the job has nothing else on this host. Never fails.
 */
export async function writePendingRecord(
  records: SiteConfig['records'],
  job: JobKey,
  nowMs = Date.now(),
): Promise<void> {
  const text = await readFile(pendingFile(job), 'utf8').catch(() => '');
  if (text === '') return;
  const pending = findJsonAs(pendingSchema, text);
  if (pending !== undefined) {
    const { keeper, record } = pending;
    if ((await readProcess(keeper.pid))?.startTicks === keeper.startTicks) return;
    await openRecordWriter(records).write(endedUnkept(record, nowMs));
  }
  await removePendingRecord(job);
}

function endedUnkept(record: JobRecord, nowMs: number): JobRecord {
  const afterMs = Math.max(0, nowMs - Date.parse(record.openedAt));
  return {
    ...record,
    endedAt: new Date(nowMs).toISOString(),
    phaseTimesMs: { ...record.phaseTimesMs, finished: afterMs, released: afterMs },
    exitStatus: exitStatusOf('TERMINATED'),
    endedBy: 'middleware',
    code: 'TERMINATED',
    reason:
      'The processes of the job were killed before they could tell an end, as when a job is cancelled or reaches its time limit.',
  };
}
