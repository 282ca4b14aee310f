import { chmod, lchown, mkdir, rm } from 'node:fs/promises';
import { containerPaths } from '../../contract/container-paths.ts';
import { inputDirectory, inputPipe } from '../../contract/job-input.ts';
import { commandNode } from '../../contract/job-key.ts';
import type { JobKey } from '../../contract/job-key.ts';
import type { JobPlan, PlannedNode } from '../../contract/job-plan.ts';
import type { Mount } from '../../ports/container-engine.ts';
import { findProgram } from '../../system/find-program.ts';
import { hostPrograms } from '../../system/host-programs.ts';
import { runAsRoot } from '../../system/run-as-root.ts';
import { oneLine } from '../../values/one-line.ts';
import { JobError } from '../../values/errors.ts';

/** Whether this node of the job has the pipe: the one that runs the command, on the middleware's own host. */
export function hasInput({ input, command }: JobPlan, { index }: PlannedNode): boolean {
  return input && index === commandNode && command.kind !== 'later';
}

const timeoutMs = 10_000;

/**
 * Makes the pipe of the job's standard input, which its user alone may open, and returns its mount. The directory is
 * root's, so nobody can put anything else in its place. Fails with `HOST_UNFIT`.
 */
export async function makeJobInput({ job, user }: JobPlan, commandPath: string): Promise<Mount> {
  const path = inputPipe(job);
  const program = findProgram('mkfifo', commandPath);
  if (program === undefined) throw unfit(`The program mkfifo is not on this host (looked in ${commandPath}).`);
  await mkdir(inputDirectory, { recursive: true });
  await chmod(inputDirectory, 0o711);
  await rm(path, { force: true }); // of an earlier run of the same job
  const made = await runAsRoot(program, ['-m', '600', path], { commandPath, timeoutMs, killSignal: 'SIGKILL' });
  if (made.failed)
    throw unfit(
      `mkfifo failed on this host: ${oneLine(made.stderr || (made.shortMessage ?? 'no reason given'), 400)}.`,
    );
  await lchown(path, user.uid, 0);
  return { source: path, target: containerPaths.input, readOnly: true };
}

function unfit(message: string): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: `Standard input cannot be passed on. ${message}`,
    hint: `Ask the administrators to install ${hostPrograms.mkfifo}, or call hpc-submit-dockerjob with --no-stdin.`,
  });
}

/** Removes it, if there is one. What is still open of it ends by itself. */
export async function removeJobInput(job: JobKey): Promise<void> {
  await rm(inputPipe(job), { force: true });
}
