/** Batch jobs that are watched and disturbed while they run: what the tests of endings are made of. */
import { awaitJob, mustRun, readJob, submitJob } from '../../lab/batch-jobs.ts';
import type { SlurmJob } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import { findLeftovers } from '../../lab/find-leftovers.ts';
import { productRoot } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { jobDirectory } from './e2e-lab.ts';
import type { RunOptions } from './e2e-lab.ts';
import type { LabJob } from './lab-job.ts';
import { watchLabJob } from './lab-job.ts';
import { untilAsked } from './until.ts';

/** The call of the middleware with an image that has all that a test needs. */
export const inMpi = 'hpc-submit-dockerjob --image lab/mpi:1 --';

/** A job of Slurm. */
export type BatchJob = LabJob<SlurmJob>;

/** Submits a bash script, as alice on three hosts unless told otherwise, and returns at once. */
export async function startBatch(lab: Lab, script: string, options: RunOptions = {}): Promise<BatchJob> {
  const { user = 'alice', sbatch = ['-N3', '-n3'], directory = jobDirectory(user) } = options;
  const id = await submitJob(lab, { user, directory, sbatch, script: `#!/bin/bash\n${script}\n` });
  return watchLabJob(lab, {
    id,
    directory,
    state: async () => await readJob(lab, id),
    isOver: ({ state }) => /^(?:COMPLETED|FAILED|CANCELLED|TIMEOUT)$/.test(state),
    awaitEnd: async (deadlineMs) => await awaitJob(lab, id, deadlineMs),
  });
}

/** A job of bob's on these hosts, running, which ends with `whole` once there is a file `over` in its directory. */
export async function startVictim(lab: Lab, hosts: readonly string[]): Promise<BatchJob> {
  const waiting = "sh -c 'echo running; while [ ! -e over ]; do sleep 0.2; done; echo whole'";
  const count = hosts.length;
  const bob = await startBatch(lab, `${inMpi} ${waiting}`, {
    user: 'bob',
    sbatch: [`-N${count}`, `-n${count}`, `--nodelist=${hosts.join(',')}`],
  });
  await bob.shows('running', 'out');
  return bob;
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
export async function findLastingLeftovers(lab: Lab, graceMs = 10_000): Promise<readonly string[]> {
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
