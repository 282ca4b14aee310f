/** One script over a login, with a deadline. */
import { text } from 'node:stream/consumers';
import type ssh2 from 'ssh2';
import { LabError } from '../lab-error.ts';

const defaultTimeoutMs = 400_000;

export interface RunInGuest {
  /** Positional parameters of the script. */
  readonly args?: readonly string[];
  readonly timeoutMs?: number;
  /** Ends the script at once; it then fails with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the script by bash on the other side. Fails after the deadline, on the signal, or when the login ends first. */
export async function runOver(client: ssh2.Client, script: string, options: RunInGuest = {}): Promise<Ran> {
  const { args = [], timeoutMs = defaultTimeoutMs, signal } = options;
  signal?.throwIfAborted();
  const command = ['bash', '-euo', 'pipefail', '-s', '--', ...args].map(quote).join(' ');
  const channel = await new Promise<ssh2.ClientChannel>((resolve, reject) => {
    client.exec(command, (error, opened) => (error === undefined ? resolve(opened) : reject(error)));
  });
  const status = new Promise<number>((resolve, reject) => {
    channel.on('exit', (code: number | null) => resolve(code ?? 255));
    channel.on('close', () => reject(new LabError('The login to the guest has ended.')));
  });
  const done = Promise.all([status, text(channel), text(channel.stderr)]);
  channel.end(script);
  const late = new Promise<never>((_, reject) => {
    const giveUp = (reason: Error): void => {
      channel.close();
      reject(reason);
    };
    const what = `\`${script.trim().split('\n')[0] ?? ''}\``;
    const timer = setTimeout(
      () => giveUp(new LabError(`${what} had not ended after ${timeoutMs / 1000} s.`)),
      timeoutMs,
    );
    const onAbort = (): void => giveUp(toError(signal?.reason));
    signal?.addEventListener('abort', onAbort, { once: true });
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    void done.finally(settle).catch(() => undefined);
  });
  const [code, stdout, stderr] = await Promise.race([done, late]);
  return { status: code, stdout, stderr };
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new LabError(String(reason));
}

/** A word for the shell that sshd starts. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
