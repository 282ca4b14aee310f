/** Who sends an order: proved by munge, which every host of the lab runs. */
import { execFile } from 'node:child_process';
import { findUser, ownUser } from './accounts.ts';
import { CommandError } from './command-error.ts';
import type { JobUser } from './job.ts';
import type { Settings } from './settings.ts';
import { parseMessage } from './wire.ts';
import type { Message } from './wire.ts';

const timeoutMs = 10_000;
const maxOutputBytes = 33_554_432;

/** One line that carries a message and the proof of who made it; it holds no line break. */
export async function sealOrder(settings: Settings, message: Message): Promise<string> {
  const text = JSON.stringify(message);
  if (settings.auth === 'none') return text;
  return (await pipe('munge', [], text)).trim();
}

export interface OpenedOrder {
  readonly user: JobUser;
  readonly message: Message;
}

/** The message of a sealed line and its sender, or undefined when munge does not vouch for it. */
export async function openOrder(settings: Settings, line: string): Promise<OpenedOrder | undefined> {
  if (settings.auth === 'none') {
    const message = parseMessage(line);
    return message && { user: ownUser(), message };
  }
  const opened = await pipe('unmunge', ['--keys=UID', '--numeric'], line).catch(() => '');
  const [, uid, text] = /^UID:\s*(\d+)\n(?:LENGTH:.*\n)?\n([\s\S]*)$/.exec(opened) ?? [];
  const user = uid === undefined ? undefined : await findUser(Number(uid));
  const message = parseMessage(text ?? '');
  return user && message && { user, message };
}

function pipe(program: string, argv: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, argv, { timeout: timeoutMs, maxBuffer: maxOutputBytes }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(new CommandError(`${program} failed: ${error.message.split('\n')[0] ?? ''}`));
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
