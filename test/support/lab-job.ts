/** One batch job of a lab, whichever scheduler runs it: watched where its user would look, and asked about as its operator would ask. */
import { readFile } from 'node:fs/promises';
import { mustRun } from '../../lab/batch-jobs.ts';
import { sharedPaths } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { until, untilAsked, untilShown } from './until.ts';

export type Stream = 'out' | 'err';

/** How a job ended: what its scheduler says of it, what it has written, and how long that took from the call of `end` on. */
export type Ended<State extends object> = State & {
  readonly directory: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
};

/** A job that was submitted. `State` is what its scheduler says of it. */
export interface LabJob<State extends object = object> {
  readonly id: string;
  /** The user's own, below /scratch; the job runs in it. */
  readonly directory: string;
  stdout(): Promise<string>;
  stderr(): Promise<string>;
  /** A file of the job's directory; empty while it is not there. */
  read(name: string): Promise<string>;
  /** Waits until the job's standard error, or `out`, shows the text; fails at once when the job is over without it. */
  shows(text: string, stream?: Stream, deadlineMs?: number): Promise<void>;
  state(): Promise<State>;
  /** Waits until the scheduler says that the job is over, and its files are there. */
  end(deadlineMs?: number): Promise<Ended<State>>;
}

/** What a scheduler adds to a job. */
export interface JobFacts<State extends object> {
  readonly id: string;
  readonly directory: string;
  readonly state: () => Promise<State>;
  readonly isOver: (state: State) => boolean;
  /** Where the streams are; without it `job.out` and `job.err` of the job's directory. */
  readonly readStream?: (stream: Stream) => Promise<string>;
  /** Resolves once the scheduler says that the job is over; without it, the state is asked for. */
  readonly awaitEnd?: (deadlineMs: number) => Promise<State>;
}

/** A job to watch. */
export function watchLabJob<State extends object>(lab: Lab, facts: JobFacts<State>): LabJob<State> {
  const { id, directory, state, isOver } = facts;
  const read = async (name: string): Promise<string> =>
    await readScratchFile(lab, `${directory}/${name}`).then(String, () => '');
  const readStream = facts.readStream ?? (async (stream: Stream) => await read(`job.${stream}`));
  const askEnd = async (deadlineMs: number): Promise<State> => {
    let now = await state();
    await untilAsked(`the end of job ${id}`, deadlineMs, async () => {
      now = await state();
      return isOver(now) || `it is ${JSON.stringify(now)}: ${(await readStream('err')).slice(-800)}`;
    });
    return now;
  };
  return {
    id,
    directory,
    stdout: async () => await readStream('out'),
    stderr: async () => await readStream('err'),
    read,
    shows: async (text, stream = 'err', deadlineMs = 40_000) =>
      await untilShown(
        { what: `"${text}" in job.${stream} of job ${id}`, text, deadlineMs },
        async () => await readStream(stream),
        async () => isOver(await state()),
      ),
    state,
    end: async (deadlineMs = 60_000) => {
      const startedAt = performance.now();
      const ended = await (facts.awaitEnd ?? askEnd)(deadlineMs);
      const seconds = (performance.now() - startedAt) / 1000;
      return { ...ended, directory, stdout: await readStream('out'), stderr: await readStream('err'), seconds };
    },
  };
}

/** A file of the shared /scratch, read on the machine itself: quick enough to look often. */
export async function readScratchFile(lab: Lab, path: string): Promise<Buffer> {
  return await readFile(path.replace(/^\/scratch/, sharedPaths(lab.layout).scratch));
}

/** How many ticks (lines of `ticks.RANK` in the job's directory) each rank has written. */
export async function readTicks(job: LabJob, ranks: number): Promise<readonly number[]> {
  return await Promise.all(Array.from({ length: ranks }, async (_, rank) => (await job.read(`ticks.${rank}`)).length));
}

/** Waits until every rank has written more than before. */
export async function awaitTicks(
  job: LabJob,
  ranks: number,
  before: readonly number[] = Array<number>(ranks).fill(0),
): Promise<void> {
  await until(`ticks of ${ranks} ranks`, 30_000, async () => {
    const now = await readTicks(job, ranks);
    const hasAll = now.every((count, rank) => count > (before[rank] ?? 0));
    return hasAll || `${now.join(' ')}; ${(await job.stderr()).slice(-600)}`;
  });
}

/** States of the containers on each host, as `docker ps` tells them. */
export async function containerStates(lab: Lab): Promise<readonly string[]> {
  const perHost = await Promise.all(
    lab.nodes.map(async ({ name }) => await mustRun(lab, name, ['docker', 'ps', '--all', '--format', '{{.State}}'])),
  );
  return perHost.map((states) => states.trim());
}
