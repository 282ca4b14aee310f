import type { HostCommands } from '../ports/host-commands.ts';

/** Runs a program in a network namespace of its own that ends with it: nothing of the host is touched. */
export async function runApart(
  commands: HostCommands,
  program: string,
  argv: readonly string[],
  input: string,
): Promise<string> {
  return await commands.run('unshare', ['--net', '--', program, ...argv], input);
}
