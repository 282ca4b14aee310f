import type { JobKey } from '../../contract/job-key.ts';
import { findOpenFiles, seesMount } from '../../system/open-files.ts';
import { signalProcess } from '../../system/signal-process.ts';
import type { RootMark } from '../host/root-marks.ts';
import type { HelperContext } from '../open-context.ts';

/** A process may pass a file on to another one while it is looked for. */
const mostRounds = 5;

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
  for (const { uid, root } of marks) {
    for (let round = 0; round < mostRounds; round += 1) {
      const holders = new Map((await findOpenFiles(root, uid)).map((file) => [file.pid, file]));
      let killed = 0;
      for (const [pid, holder] of holders) {
        if ((await seesMount(pid, root)) || !signalProcess(holder, { uid })) continue;
        killed += 1;
        audit.record('holder-killed', { job, killedPid: pid });
        process.stderr.write(
          `hpc-dockerjob-helper: note: process ${pid} kept files of a removed container of job ${job} open; it was killed\n`,
        );
      }
      if (killed === 0) break;
    }
  }
}
