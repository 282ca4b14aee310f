import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

export interface StartAsRootOptions {
  /** Its standard input is a pipe; else it is empty. */
  readonly hasInput?: boolean;
  /** Its standard output is a pipe; else nobody reads it. */
  readonly hasOutput?: boolean;
  /** In no group of the caller's: by their numbers some schedulers find the processes of a job. */
  readonly dropsGroups?: boolean;
}

/**
 * Starts a program that may outlive this process, as root has to: by its absolute path, without a shell, with nothing of the
 * caller's environment, and in a session of its own, out of reach of the signals that suspend or end a job. It does not keep
 * this process alive. A start or a pipe that fails is told to nobody but those who listen; where no file can be opened any
 * more, Node makes no pipes.
 */
export function startAsRoot(
  file: string,
  argv: readonly string[],
  { hasInput = false, hasOutput = false, dropsGroups = false }: StartAsRootOptions = {},
): ChildProcess {
  const child = spawn(file, argv, {
    stdio: [hasInput ? 'pipe' : 'ignore', hasOutput ? 'pipe' : 'ignore', 'ignore'],
    cwd: '/',
    detached: true,
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    ...(dropsGroups && process.getuid?.() === 0 ? { uid: 0, gid: 0 } : {}),
  });
  for (const emitter of [child, child.stdin, child.stdout]) emitter?.on('error', () => undefined);
  child.unref();
  return child;
}
