import { constants } from 'node:os';
import { execa } from 'execa';

/** What only a shell can do for its own later commands; LSF has put the job starter before it. */
const shellWords = ['.', 'cd', 'eval', 'exec', 'export', 'module', 'set', 'shopt', 'source', 'trap', 'ulimit', 'umask'];

/**
 * Runs a job's command as it is, on this host, and resolves to its exit status. Signals of the scheduler go to the whole
 * process group, so the command has them from there; this program only outlives them.
 */
export async function runOnHost(argv: readonly string[]): Promise<number> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)
    process.on(signal, () => undefined);
  // env looks the command up, takes NAME=VALUE words before it, and answers 126 and 127 as a shell does.
  const { exitCode, signal } = await execa('/usr/bin/env', ['--', ...argv], {
    stdio: 'inherit',
    reject: false,
    cleanup: false,
  });
  if ((exitCode === 127 || exitCode === 126) && shellWords.includes(argv[0] ?? '')) {
    process.stderr.write(
      `hpc-submit-dockerjob: "${argv[0]}" is a builtin of the shell, but this queue's job starter runs it as a program. Put the commands into a script: bsub < script.\n`,
    );
  }
  return exitCode ?? 128 + (signal === undefined ? 0 : constants.signals[signal]);
}
