import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, link, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { JobError } from '../values/errors.ts';

/** A name in the same directory that nobody else uses; it tells whose it is, should this process die before it is gone. */
export function socketNameBeside(socketPath: string): string {
  return `${socketPath}.${process.pid}-${randomBytes(4).toString('hex')}`;
}

/** True for a name beside `socketPath` that a process left when it died while it claimed the path. */
export function isLeftBeside(socketPath: string, path: string): boolean {
  if (!path.startsWith(`${socketPath}.`)) return false;
  const pid = /^(\d+)-[0-9a-f]{8}$/.exec(path.slice(socketPath.length + 1))?.[1];
  return pid === undefined || !existsSync(`/proc/${pid}`);
}

/**
 * Gives the socket `ownName`, on which a server listens already, the name `socketPath`; resolves to what takes it away
 * again. Each step is one call of the kernel that only one of several callers can carry out: a path that is taken is
 * freed only of a server that is dead, and only by the one who has the right to. Fails with `JOB_BUSY`.
 */
export async function claimSocketPath(ownName: string, socketPath: string): Promise<() => Promise<void>> {
  await chmod(ownName, 0o600);
  const { ino } = await stat(ownName);
  if (!(await tryLink(ownName, socketPath))) {
    await removeDead(socketPath);
    if (!(await tryLink(ownName, socketPath))) throw busy();
  }
  await rm(ownName, { force: true });
  return async () => {
    // Released from outside, the path may be another's by now.
    if ((await inodeOf(socketPath)) === ino) await rm(socketPath, { force: true });
  };
}

/** Removes the socket at that path if nobody serves it; fails with `JOB_BUSY` when somebody does, or is just removing it. */
async function removeDead(socketPath: string): Promise<void> {
  const ino = await inodeOf(socketPath);
  if (ino === undefined) return; // its server has ended meanwhile
  // Only who has made this name may remove this very socket; through it the socket can be asked, whatever comes at the path.
  const right = `${socketPath}.dead-${ino}`;
  if (!(await tryLink(socketPath, right))) throw busy();
  try {
    const isThatOne = (await inodeOf(right)) === ino;
    if (!isThatOne || (await isServed(right))) throw busy();
    await rm(socketPath, { force: true });
  } finally {
    await rm(right, { force: true });
  }
}

/** False when there is something at `target`, or nothing at `source`. */
async function tryLink(source: string, target: string): Promise<boolean> {
  try {
    await link(source, target);
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST') || isCode(error, 'ENOENT')) return false;
    throw error;
  }
}

async function inodeOf(path: string): Promise<number | undefined> {
  return await stat(path).then(
    ({ ino }) => ino,
    () => undefined,
  );
}

/** A socket that refuses has no server; any other failure is no such word. */
async function isServed(path: string): Promise<boolean> {
  const probe = connect(path);
  try {
    await once(probe, 'connect');
    return true;
  } catch (error) {
    return !isCode(error, 'ECONNREFUSED');
  } finally {
    probe.destroy();
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function busy(): JobError {
  return new JobError({
    code: 'JOB_BUSY',
    message: 'Another hpc-submit-dockerjob is running in this job.',
    hint: 'One call at a time: wait until it has ended. If none runs, an administrator can call release-job.',
  });
}
