import { exitStatus } from '../../values/errors.ts';

/** The words of the verbs that people and hooks call; jobs are told by events. */

/** What was done, on standard output. */
export function say(lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}

/** What was not possible, on standard error. */
export function warn(text: string): void {
  process.stderr.write(`hpc-dockerjob-helper: ${text}\n`);
}

/** What has to wait for others, on standard error; the exit status then says that another try is worth it. */
export function putOff(text: string): void {
  process.exitCode = exitStatus.temporary;
  warn(`not finished: ${text}. Safe to try again.`);
}

/** What is left, on standard error; the exit status then says that another try is worth it. */
export function complain(leftovers: readonly string[]): void {
  if (leftovers.length === 0) return;
  process.exitCode = exitStatus.temporary;
  warn(`still there: ${leftovers.join('; ')}. Safe to try again.`);
}
