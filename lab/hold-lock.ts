/** One command at a time per lab: a lock that the kernel drops when its holder dies, however it dies. */
import { execa } from 'execa';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LabError } from './lab-error.ts';

const busyStatus = 75;

/** A lock file, what it guards in words for people, and how long to wait for another holder. */
export interface Lock {
  readonly file: string;
  readonly guards: string;
  readonly waitMs?: number;
}

/**
 * Runs the action while holding the lock. Fails when another process holds it for longer than `waitMs`; by default at once.
 * flock(1) holds it around `cat`, which ends when our end of its pipe closes: with us, even by SIGKILL.
 */
export async function underLock<T>(lock: Lock, action: () => Promise<T>): Promise<T> {
  await mkdir(dirname(lock.file), { recursive: true, mode: 0o700 });
  const wait = lock.waitMs === undefined ? ['--nonblock'] : ['--timeout', String(lock.waitMs / 1000)];
  const argv = [...wait, '--conflict-exit-code', String(busyStatus), lock.file, 'cat'];
  const holder = execa('flock', argv, { reject: false, buffer: false });
  holder.stdin.on('error', () => undefined);
  holder.stdin.write('held\n');
  const isHeld = await Promise.race([
    new Promise<boolean>((resolve) => holder.stdout.once('data', () => resolve(true))),
    holder.then(() => false),
  ]);
  if (!isHeld) {
    const owner = (await readFile(lock.file, 'utf8').catch(() => '')).trim();
    throw new LabError(`${lock.guards} is busy${owner ? `: ${owner}` : ''}.`, 'Wait until that command has ended.');
  }
  try {
    await writeFile(lock.file, `process ${process.pid}, ${process.argv.slice(2).join(' ') || 'a test'}\n`);
    return await action();
  } finally {
    holder.stdin.end();
    await holder;
  }
}

/** The lock of one lab. */
export function labLock(name: string, file: string): Lock {
  return { file, guards: `Lab ${name}` };
}
