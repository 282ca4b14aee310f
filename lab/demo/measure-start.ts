/**
 * From the call of the middleware to the command's first line on three hosts, beside the least that Docker under the same
 * scheduler can do: `srun docker run IMAGE true` on the same hosts. In pairs, in turn, in one run: the machine is shared.
 */
import { awaitJob, readLabFile, submitJob } from '../batch-jobs.ts';
import { LabError } from '../lab-error.ts';
import type { Lab } from '../running-lab.ts';

const image = 'lab/mpi:1';
const rounds = 5;

export interface StartTimes {
  readonly oursMs: readonly number[];
  readonly floorMs: readonly number[];
}

/** Measures both in pairs; needs the image on every host. */
export async function measureStartTimes(lab: Lab, count = rounds): Promise<StartTimes> {
  const oursMs: number[] = [];
  const floorMs: number[] = [];
  for (let round = 0; round < count; round += 1) {
    floorMs.push(await timeJob(lab, 'root', `srun -N3 -n3 docker run --rm ${image} true && date +%s%N`));
    oursMs.push(await timeJob(lab, 'alice', `hpc-submit-dockerjob --quiet --image ${image} -- date +%s%N`));
  }
  return { oursMs, floorMs };
}

/** The figures as lines for people. */
export async function measureStart(lab: Lab): Promise<readonly string[]> {
  const { oursMs, floorMs } = await measureStartTimes(lab);
  const [ours, floor] = [median(oursMs), median(floorMs)];
  return [
    `call of hpc-submit-dockerjob to the command's first line: median ${seconds(ours)}   (${oursMs.map(seconds).join(', ')})`,
    `floor, srun -N3 docker run IMAGE true:                     median ${seconds(floor)}   (${floorMs.map(seconds).join(', ')})`,
    `ratio ${(ours / floor).toFixed(2)} (aim: at most 2)`,
  ];
}

async function timeJob(lab: Lab, user: string, command: string): Promise<number> {
  const directory = `/scratch/measure-${user}`;
  const script = `#!/bin/bash\ndate +%s%N\n${command}\n`;
  const id = await submitJob(lab, { user, directory, sbatch: ['-N3', '-n3'], script });
  const job = await awaitJob(lab, id);
  const output = await readLabFile(lab, `${directory}/job.out`);
  const [start, first] = output.trim().split('\n').map(Number);
  if (job.state === 'COMPLETED' && start !== undefined && first !== undefined) return (first - start) / 1e6;
  throw new LabError(`Measuring failed (${job.state}): ${output} ${await readLabFile(lab, `${directory}/job.err`)}`);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(2)} s`;
