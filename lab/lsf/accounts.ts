/** The users of a host, from its passwd and group files. */
import { readFile } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import type { JobUser } from './job.ts';

/** The account with that number, or undefined. */
export async function findUser(uid: number): Promise<JobUser | undefined> {
  const entry = (await readTable('/etc/passwd')).find((fields) => fields[2] === String(uid));
  if (entry === undefined) return undefined;
  const [name = '', , , gid = '', , home = ''] = entry;
  const group = (await readTable('/etc/group')).find((fields) => fields[2] === gid)?.[0] ?? gid;
  return { name, uid, gid: Number(gid), group, home };
}

/** Numbers of all groups of a user, the primary one first. */
export async function listGroups(user: JobUser): Promise<number[]> {
  const others = (await readTable('/etc/group')).filter((fields) => fields[3]?.split(',').includes(user.name));
  return [user.gid, ...others.map((fields) => Number(fields[2]))];
}

/** Whoever this process is; the home of its environment, so that tests have one each. */
export function ownUser(): JobUser {
  const { username, uid, gid } = userInfo();
  return { name: username, uid, gid, group: username, home: homedir() };
}

async function readTable(file: string): Promise<string[][]> {
  return (await readFile(file, 'utf8')).split('\n').map((line) => line.split(':'));
}
