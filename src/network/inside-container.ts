import type { HostCommands } from '../ports/host-commands.ts';
import { JobError } from '../values/errors.ts';

/** Name of the job's interface in every container. */
export const containerInterface = 'eth0';

/** Runs a program of the host in a container's network namespace. */
export async function runInside(
  commands: HostCommands,
  networkNamespacePath: string,
  [name, ...argv]: readonly [string, ...string[]],
  input?: string,
): Promise<string> {
  return await commands.run('nsenter', [`--net=${networkNamespacePath}`, '--', name, ...argv], input);
}

/** The kernel's two answers: for a name, and for a network identifier. */
export function saysExists(error: unknown): error is JobError {
  return error instanceof JobError && /File exists|already exists/.test(error.message);
}
