/** Batch jobs that are watched and disturbed while they run: what the tests of endings are made of. */
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { awaitJob, mustRun, readJob, submitJob } from '../../lab/batch-jobs.ts';
import type { SlurmJob } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import { findLeftovers } from '../../lab/find-leftovers.ts';
import { productRoot, sharedPaths } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { jobDirectory } from './e2e-lab.ts';
import type { FinishedJob, RunOptions } from './e2e-lab.ts';

const lookEveryMs = 100;
/** Looks that run commands on a host cost processor time, of which the job that is looked at has the less. */
const commandEveryMs = 500;

/** The call of the middleware with an image that has all that a test needs. */
export const inMpi = 'hpc-submit-dockerjob --image lab/mpi:1 --';

/** A job that was submitted; its streams are read from the files that Slurm writes. */
export interface BatchJob {
  readonly id: string;
  readonly directory: string;
  stdout(): Promise<string>;
  stderr(): Promise<string>;
  /** Waits until the job's standard error, or `out`, shows the text. */
  shows(text: string, stream?: 'out' | 'err', deadlineMs?: number): Promise<void>;
  state(): Promise<SlurmJob>;
  /** Waits for the end; `seconds` is the time that this took from the call on. */
  end(deadlineMs?: number): Promise<FinishedJob & { readonly seconds: number }>;
}

/** Submits a bash script, as alice on three hosts unless told otherwise, and returns at once. */
export async function startBatch(lab: Lab, script: string, options: RunOptions = {}): Promise<BatchJob> {
  const { user = 'alice', sbatch = ['-N3', '-n3'], directory = jobDirectory(user) } = options;
  const id = await submitJob(lab, { user, directory, sbatch, script: `#!/bin/bash\n${script}\n` });
  const read = async (stream: 'out' | 'err'): Promise<string> =>
    await readScratchFile(lab, `${directory}/job.${stream}`).then(String, () => '');
  const job: BatchJob = {
    id,
    directory,
    stdout: () => read('out'),
    stderr: () => read('err'),
    shows: async (text, stream = 'err', deadlineMs = 30_000) =>
      await untilShown(
        { what: `"${text}" in job.${stream} of job ${id}`, text, deadlineMs },
        async () => await read(stream),
        async () => /^(?:COMPLETED|FAILED|CANCELLED|TIMEOUT)$/.test((await readJob(lab, id)).state),
      ),
    state: () => readJob(lab, id),
    end: async (deadlineMs = 60_000) => {
      const startedAt = performance.now();
      const ended = await awaitJob(lab, id, deadlineMs);
      const seconds = (performance.now() - startedAt) / 1000;
      return { ...ended, directory, stdout: await read('out'), stderr: await read('err'), seconds };
    },
  };
  return job;
}

/** A file of the shared /scratch, read on the machine itself: quick enough to look often. */
export async function readScratchFile(lab: Lab, path: string): Promise<Buffer> {
  return await readFile(path.replace(/^\/scratch/, sharedPaths(lab.layout).scratch));
}

/** Looks until `look` says true; its text is what was missing when the deadline passes. */
export async function until(
  what: string,
  deadlineMs: number,
  look: () => Promise<true | string>,
  everyMs = lookEveryMs,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const missing = await look();
    if (missing === true) return;
    if (performance.now() > deadline) throw new Error(`${what} did not come within ${deadlineMs} ms; ${missing}`);
    await pause(everyMs);
  }
}

/** As `until`, with looks that run commands on a host. */
export async function untilAsked(what: string, deadlineMs: number, look: () => Promise<true | string>): Promise<void> {
  await until(what, deadlineMs, look, commandEveryMs);
}

/** Waits for a text in a file that is quick to read; fails at once when the job, asked now and then, is over without it. */
export async function untilShown(
  { what, text, deadlineMs }: { readonly what: string; readonly text: string; readonly deadlineMs: number },
  read: () => Promise<string>,
  isOver: () => Promise<boolean>,
): Promise<void> {
  let askedAt = performance.now();
  await until(what, deadlineMs, async () => {
    if ((await read()).includes(text)) return true;
    if (performance.now() - askedAt < commandEveryMs) return `seen: ${(await read()).slice(-800)}`;
    askedAt = performance.now();
    const wasOver = await isOver();
    const seen = await read();
    if (seen.includes(text)) return true;
    if (wasOver) throw new Error(`${what} did not come before the end: ${seen.slice(-800)}`);
    return `seen: ${seen.slice(-800)}`;
  });
}

const programs = {
  middleware: 'dist/middleware.cjs',
  keeper: 'dist/helper.cjs open-job',
  'run-node': 'dist/helper.cjs run-node',
  launcher: 'srun .*--job-name=hpc-dockerjob',
} as const;

/** Process ids, on that host, of one of our programs in one job; by the job's cgroup, which nobody can forge. */
export async function findProgram(
  lab: Lab,
  host: string,
  program: keyof typeof programs,
  job: string,
): Promise<readonly string[]> {
  const script =
    'for pid in $(pgrep -f -- "$1"); do grep -q "/job_$2/" "/proc/$pid/cgroup" 2>/dev/null && echo "$pid"; done; :';
  return (await mustRun(lab, host, ['sh', '-c', script, 'find', programs[program], job])).split('\n').filter(Boolean);
}

/** Sends a signal to one of our programs in one job; fails when it does not run. */
export async function signalProgram(
  lab: Lab,
  host: string,
  program: keyof typeof programs,
  job: string,
  signal: 'KILL' | 'STOP' | 'CONT' | 'TERM',
): Promise<void> {
  const pids = await findProgram(lab, host, program, job);
  if (pids.length === 0) throw new Error(`${program} of job ${job} does not run on ${host}.`);
  await mustRun(lab, host, ['kill', `-${signal}`, ...pids]);
}

/** scancel as the job's user would call it. */
export async function cancelJob(lab: Lab, id: string, ...options: readonly string[]): Promise<void> {
  await mustRun(lab, 'node1', ['scancel', ...options, id]);
}

/** What is left once the last epilog is through; a moment's grace, since Slurm forgets a job's end on no clock of ours. */
export async function findLastingLeftovers(lab: Lab, graceMs = 3000): Promise<readonly string[]> {
  let left: readonly string[] = [];
  await untilAsked('nothing left behind', graceMs, async () => {
    left = await findLeftovers(lab);
    return left.length === 0 || left.join('; ');
  }).catch(() => undefined);
  return left;
}

/** The container of a node on its host: `docker inspect` of it, a few fields. */
export async function inHostDocker(lab: Lab, host: string, ...argv: readonly string[]): Promise<string> {
  return (await mustRun(lab, host, ['docker', ...argv])).trim();
}

/** One round of `reap` on that host: all is finished, or it says for which other hosts it waits. */
export async function reapOn(lab: Lab, host: string): Promise<void> {
  const { exitCode, text } = await tryAs(lab, host, 'root', `${productRoot}/bin/hpc-dockerjob-helper`, 'reap');
  const waits = exitCode === 75 && text.includes('until this is released');
  if (exitCode !== 0 && !waits) throw new Error(`reap on ${host} ended with ${exitCode}: ${text}`);
}

/** Runs something on a host as a user and returns how it ends. */
export async function tryAs(
  lab: Lab,
  host: string,
  user: string,
  ...argv: readonly string[]
): Promise<{ readonly exitCode: number; readonly text: string }> {
  const { exitCode, stdout, stderr } = await execOnHost(lab, host, { user, argv });
  return { exitCode, text: `${stdout}${stderr}` };
}
