import { execa } from 'execa';

export interface RunAsRootOptions {
  /** Where the program itself looks for others. */
  readonly commandPath?: string;
  /** Of its messages; `C.UTF-8` where what it prints may be no ASCII. */
  readonly locale?: 'C' | 'C.UTF-8';
  /** What it needs besides. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Its standard input; none without it. */
  readonly input?: string;
  /** It is ended after this; without it the words of the command set the bound (`boundCommand`). */
  readonly timeoutMs?: number;
  /** How it is ended then: at once by KILL, or by TERM and half a second later by KILL. */
  readonly killSignal?: 'SIGKILL' | 'SIGTERM';
  /** Bytes that are taken of each of its outputs. */
  readonly maxBuffer?: number;
  /** In a session of its own, so that no signal to the process group of a job reaches it. Default: true. */
  readonly detached?: boolean;
}

/** How a program has ended, and what it has said. */
export interface RunEnd {
  /** It could not be started, ended with another status than 0 or by a signal, or said too much. */
  readonly failed: boolean;
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly timedOut: boolean;
  readonly isMaxBuffer: boolean;
  readonly durationMs: number;
  /** Without the last line end. */
  readonly stdout: string;
  readonly stderr: string;
  /** Why it failed, in execa's words. */
  readonly shortMessage?: string | undefined;
}

/**
 * Runs a program as root has to: by its absolute path, without a shell, with nothing of the caller's environment and
 * out of reach of the signals that suspend a job. Resolves to how it ended, whatever that is; never fails.
 */
export async function runAsRoot(
  file: string,
  argv: readonly string[],
  options: RunAsRootOptions = {},
): Promise<RunEnd> {
  const run = async (): Promise<RunEnd> => await runOnce(file, argv, options);
  let end = await run();
  // Of a signal to the job, before the session of its own: it has not begun.
  for (let tries = 1; isHitEarly(end, options) && tries < mostTries; tries += 1) end = await run();
  return end;
}

/** As often as a launcher starts a host again for the same reason. */
const mostTries = 20;

function isHitEarly({ signal }: RunEnd, { detached = true }: RunAsRootOptions): boolean {
  return detached && (signal === 'SIGUSR1' || signal === 'SIGUSR2');
}

async function runOnce(file: string, argv: readonly string[], options: RunAsRootOptions): Promise<RunEnd> {
  const { commandPath = '/usr/bin:/bin', locale = 'C', environment, input, timeoutMs, maxBuffer } = options;
  return await execa(file, argv, {
    env: { PATH: commandPath, LC_ALL: locale, ...environment },
    extendEnv: false,
    detached: options.detached ?? true,
    reject: false,
    killSignal: options.killSignal ?? 'SIGTERM',
    forceKillAfterDelay: 500,
    ...(input === undefined ? { stdin: 'ignore' } : { input }),
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    ...(maxBuffer === undefined ? {} : { maxBuffer }),
  });
}
