/** One script over a login, with a deadline. */
import { text } from 'node:stream/consumers';
import type ssh2 from 'ssh2';
import { LabError } from '../lab-error.ts';

const defaultTimeoutMs = 120_000;

export interface RunInGuest {
  /** Positional parameters of the script. */
  readonly args?: readonly string[];
  readonly timeoutMs?: number;
}

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the script by bash on the other side. Fails after the deadline, or when the login ends first. */
export async function runOver(client: ssh2.Client, script: string, options: RunInGuest = {}): Promise<Ran> {
  const { args = [], timeoutMs = defaultTimeoutMs } = options;
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
    const timer = setTimeout(() => {
      channel.close();
      reject(new LabError(`\`${script.trim().split('\n')[0] ?? ''}\` had not ended after ${timeoutMs / 1000} s.`));
    }, timeoutMs);
    void done.finally(() => clearTimeout(timer)).catch(() => undefined);
  });
  const [code, stdout, stderr] = await Promise.race([done, late]);
  return { status: code, stdout, stderr };
}

/** A word for the shell that sshd starts. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
