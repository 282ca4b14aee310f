import { readdir, rm, writeFile } from 'node:fs/promises';
import type { JobKey } from '../../contract/job-key.ts';
import type { ProcessFacts } from './read-process.ts';
import { readProcess } from './read-process.ts';

/**
 * Marks in a job's run directory, which is root's alone: which processes have the output of the job's containers in their
 * hands. All is in the name, so that a mark is there as a whole or not at all.
 */
export interface HelperMark {
  readonly name: string;
  readonly pid: number;
  readonly startTicks: string;
  readonly executableInode: string;
}

/** Undefined when the name is not a mark's. */
export function parseHelperMark(name: string): HelperMark | undefined {
  const [, pid, startTicks, executableInode] = /^helper-(\d{1,10})-(\d{1,20})-(\d+\.\d+)$/.exec(name) ?? [];
  if (pid === undefined || startTicks === undefined || executableInode === undefined) return undefined;
  return { name, pid: Number(pid), startTicks, executableInode };
}

/** Marks this very process; to be called before it takes the output of a container of the job. Undone by disposing. */
export async function markHelper(directory: string): Promise<AsyncDisposable> {
  const own = await readProcess('self');
  if (own === undefined) throw new Error('This process is not to be found in /proc.');
  const file = `${directory}/helper-${own.pid}-${own.startTicks}-${own.executableInode}`;
  await writeFile(file, '', { mode: 0o600 });
  return { [Symbol.asyncDispose]: async () => await rm(file, { force: true }) };
}

/** To be called once the containers are gone: whoever has left these marks holds nothing any more. */
export async function removeHelperMarks(directory: string, marks: readonly HelperMark[]): Promise<void> {
  for (const { name } of marks) await rm(`${directory}/${name}`, { force: true });
}

export async function listHelperMarks(directory: string): Promise<readonly HelperMark[]> {
  const names = await readdir(directory).catch(() => []);
  return names.map(parseHelperMark).filter((mark) => mark !== undefined);
}

/**
 * The process that has left the mark, if it is still there. A pid alone would be anybody's by now: it must have begun at
 * the same moment, run the same file, be of the same user as this process (root) throughout, and be a helper of this job that
 * takes the output of its containers: its run-node, or an enter-job.
 */
export async function findMarked(job: JobKey, mark: HelperMark): Promise<ProcessFacts | undefined> {
  const found = await readProcess(mark.pid);
  return found !== undefined && isMarked(job, mark, found) ? found : undefined;
}

const markedVerbs: readonly string[] = ['run-node', 'enter-job'];

export function isMarked(job: JobKey, mark: HelperMark, found: ProcessFacts): boolean {
  const own = String(process.geteuid?.());
  const verb = found.argv.findIndex((word) => markedVerbs.includes(word));
  return (
    found.pid === mark.pid &&
    found.startTicks === mark.startTicks &&
    found.executableInode === mark.executableInode &&
    found.uids.length === 4 &&
    found.uids.every((uid) => uid === own) &&
    verb !== -1 &&
    found.argv[verb + 1] === job
  );
}
