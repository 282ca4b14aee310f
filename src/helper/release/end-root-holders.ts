import type { JobKey } from '../../contract/job-key.ts';
import { findOpenFiles, seesMount } from '../../system/open-files.ts';
import type { OpenFile } from '../../system/open-files.ts';
import type { KnownProcess } from '../../system/signal-process.ts';
import { readStart, readState, signalProcess } from '../../system/signal-process.ts';
import { retryUntil } from '../../system/retry-until.ts';
import type { RootMark } from '../host/root-marks.ts';
import type { HelperContext } from '../open-context.ts';
import { chaseAfter, chaseHolder } from './chase-holder.ts';

/** A process may pass a file on to another one while it is looked for. */
const mostMs = 5000;
/** In which a killed process lets go, also on a busy host. */
const dyingMs = 1000;

/**
 * Ends processes of the job's user on this host that keep files of a removed container open: what these files take of
 * the Docker Engine's disk would be given back only when they end, and could still grow. A process is killed only when
 * the user has started it, and the file system is not one of its own. To be called once the containers are gone.
 */
export async function endRootHolders(
  { audit }: Pick<HelperContext, 'audit'>,
  job: JobKey,
  marks: readonly RootMark[],
): Promise<void> {
  const tell = (event: 'holder-killed' | 'holders-left', { pid }: KnownProcess, what: string): void => {
    audit.record(event, { job, ...(event === 'holder-killed' ? { killedPid: pid } : { holder: pid }) });
    process.stderr.write(
      `hpc-dockerjob-helper: note: process ${pid} kept files of a removed container of job ${job} open; ${what}\n`,
    );
  };
  for (const mark of marks) {
    const { uid } = mark;
    for (const deadline = performance.now() + mostMs; ;) {
      const begunAt = performance.now();
      const holders = await findStrangers(mark);
      const lookMs = performance.now() - begunAt;
      const found = holders.length > 0 ? holders : [await chaseHolder(mark, chaseAfter(lookMs))];
      const [first] = found;
      if (first === undefined) break;
      if (performance.now() > deadline) {
        tell('holders-left', first, 'it goes on');
        break;
      }
      const killed = found.filter((each) => each !== undefined && signalProcess(each, { uid })) as KnownProcess[];
      for (const each of killed) tell('holder-killed', each, 'it was killed');
      const areGone = (): true | undefined => (killed.every(hasEnded) ? true : undefined);
      await retryUntil(areGone, { pauseMs: 10, deadlineMs: dyingMs });
    }
  }
}

function hasEnded({ pid, since }: KnownProcess): boolean {
  const directory = `/proc/${pid}`;
  return readStart(directory) !== since || ['Z', 'X'].includes(readState(directory));
}

/** One file of each process that has any of a file system open which is not one of its own. */
async function findStrangers({ uid, root }: RootMark): Promise<readonly OpenFile[]> {
  const holders = [...new Map((await findOpenFiles(root, uid)).map((file) => [file.pid, file])).values()];
  const sees = await Promise.all(holders.map(async ({ pid }) => await seesMount(pid, root)));
  return holders.filter((_, index) => sees[index] === false);
}
