/** Batch jobs in a running lab: submitted as a user would, watched as an operator would. */
import { setTimeout as pause } from 'node:timers/promises';
import { execOnHost } from './exec-on-host.ts';
import { LabError } from './lab-error.ts';
import { patient } from './patience.ts';
import type { Lab } from './running-lab.ts';

export interface Submission {
  readonly user: string;
  /** Directory in which job.out and job.err appear; made, and given to the user. Below /scratch. */
  readonly directory: string;
  readonly script: string;
  /** Further arguments of sbatch, e.g. `-N3`. */
  readonly sbatch?: readonly string[];
}

/** What Slurm says of a job. */
export interface SlurmJob {
  readonly id: string;
  readonly state: string;
  /** `exit:signal` */
  readonly exitCode: string;
}

const submitHost = 'node1';

/** Submits a script with sbatch as the user; returns the job's id. */
export async function submitJob(lab: Lab, { user, directory, script, sbatch = [] }: Submission): Promise<string> {
  await mustRun(lab, submitHost, ['install', '-d', '-o', user, '-g', user, directory]);
  const path = `${directory}/job.sh`;
  await writeLabFile(lab, path, script, user);
  const argv = ['sbatch', '--parsable', '--chdir', directory, '-o', 'job.out', '-e', 'job.err', ...sbatch, path];
  const { exitCode, stdout, stderr } = await execOnHost(lab, submitHost, { user, argv });
  if (exitCode !== 0) throw new LabError(`sbatch refused ${path}: ${stderr.trim()}`);
  return stdout.trim().split(';')[0] ?? '';
}

/** The job as slurmctld sees it now. */
export async function readJob(lab: Lab, id: string): Promise<SlurmJob> {
  const text = await mustRun(lab, submitHost, ['scontrol', '--oneliner', 'show', 'job', id]);
  const field = (name: string): string => new RegExp(`(?:^| )${name}=(\\S+)`).exec(text)?.[1] ?? '';
  return { id, state: field('JobState'), exitCode: field('ExitCode') };
}

/** Waits until the job has left the cluster; fails after the deadline. `onLook` is called at every look. */
export async function awaitJob(
  lab: Lab,
  id: string,
  deadlineMs = 120_000,
  onLook: () => void | Promise<void> = () => undefined,
): Promise<SlurmJob> {
  const startedAt = performance.now();
  const timeoutMs = patient(deadlineMs);
  for (;;) {
    const job = await readJob(lab, id);
    await onLook();
    if (!/^(?:PENDING|CONFIGURING|RUNNING|COMPLETING|SUSPENDED|STOPPED)$/.test(job.state)) return job;
    if (performance.now() - startedAt > timeoutMs)
      throw new LabError(`Job ${id} is still ${job.state} after ${timeoutMs / 1000} s.`);
    await pause(patient(200));
  }
}

/** A file of the lab's hosts, or "" when it is not there. */
export async function readLabFile(lab: Lab, path: string): Promise<string> {
  const { exitCode, stdout } = await execOnHost(lab, submitHost, { argv: ['cat', '--', path] });
  return exitCode === 0 ? stdout : '';
}

/** Writes a file on the lab's shared file system and gives it to the user. */
export async function writeLabFile(lab: Lab, path: string, text: string, user: string): Promise<void> {
  // Whole at once: a job may wait for the file.
  const script = 'cat >"$1.part" && chown "$2:" "$1.part" && chmod 0755 "$1.part" && mv -f "$1.part" "$1"';
  await mustRun(lab, submitHost, ['sh', '-c', script, 'write', path, user], text);
}

/** Runs a program on a host as root; its output. Fails when it fails. */
export async function mustRun(lab: Lab, host: string, argv: readonly string[], input?: string): Promise<string> {
  const result = await execOnHost(lab, host, { argv, ...(input === undefined ? {} : { input }) });
  if (result.exitCode === 0) return result.stdout;
  throw new LabError(`\`${argv.join(' ')}\` failed on ${host} with status ${result.exitCode}: ${result.stderr.trim()}`);
}
