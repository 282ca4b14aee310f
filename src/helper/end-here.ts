import { access, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { JobEnd } from '../shared/helper-events.ts';
import { jobEndSchema } from '../shared/helper-events.ts';
import type { JobKey } from '../shared/job-key.ts';
import { masterRunDirectory } from './run-directory.ts';

/**
 * The way of the command's end that needs no store: node 0 and the keeper are on the same host, and the job's run
 * directory is root's alone. The node writes the file, the keeper takes it away.
 */
const endFile = (job: JobKey): string => `${masterRunDirectory(job)}/end.json`;

const lookEveryMs = 1000;

/** Leaves the end for the keeper; repeat-safe. */
export async function leaveEndHere(job: JobKey, end: JobEnd): Promise<void> {
  const file = endFile(job);
  await writeFile(`${file}.new`, JSON.stringify(end), { mode: 0o600 });
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
export async function takeEndHere(job: JobKey, over: AbortSignal): Promise<JobEnd | undefined> {
  while (!over.aborted) {
    const text = await readFile(endFile(job), 'utf8').catch(() => undefined);
    if (text !== undefined) {
      const end = jobEndSchema.parse(JSON.parse(text));
      await rm(endFile(job), { force: true });
      return end;
    }
    await pause(lookEveryMs, undefined, { signal: over, ref: false }).catch(() => undefined);
  }
  return undefined;
}
