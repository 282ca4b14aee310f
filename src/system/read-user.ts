import { execa } from 'execa';
import type { HostUser } from '../values/host-user.ts';
import { boundCommand } from './bound-command.ts';
import { JobError } from '../values/errors.ts';

const askSeconds = 10;
const options = {
  env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' },
  extendEnv: false,
  stdin: 'ignore',
  detached: true, // the suspension of the job must not stop it
} as const;

/** The user with all groups; asks NSS through getent and id, so that LDAP and the like work. */
export async function readUser(uid: number): Promise<HostUser> {
  try {
    const { stdout } = await execa(...boundCommand(askSeconds, '/usr/bin/getent', ['passwd', String(uid)]), options);
    const [name = '', , uidText, gidText, , home = '/'] = stdout.split('\n')[0]?.split(':') ?? [];
    // A database that also answers to names of digits could hand out somebody else.
    if (Number(uidText) !== uid || !/^[A-Za-z_][A-Za-z0-9_.@-]{0,63}\$?$/.test(name))
      throw new Error(`unusable entry "${stdout.slice(0, 80)}"`);
    const { stdout: gidList } = await execa(...boundCommand(askSeconds, '/usr/bin/id', ['-G', '--', name]), options);
    const gids = gidList.trim().split(/\s+/).map(Number);
    return { name, uid, gid: Number(gidText), home: home.startsWith('/') ? home : '/', groups: await readGroups(gids) };
  } catch (cause) {
    throw new JobError({
      code: 'HOST_UNFIT',
      message: `This host's user database does not know uid ${uid}.`,
      hint: "Check that getent passwd works for the job's user on every host.",
      cause,
    });
  }
}

/** The user with the job's primary group (`newgrp`, `sg`); with their own where the database does not have them in it. */
export function inGroupOfJob(user: HostUser, gid: number | undefined): HostUser {
  const isMember = gid !== undefined && user.groups.some((group) => group.gid === gid);
  return isMember ? { ...user, gid } : user;
}

async function readGroups(gids: readonly number[]): Promise<HostUser['groups']> {
  // getent answers 2 when one of several is missing: the others are printed all the same.
  const { stdout } = await execa(...boundCommand(askSeconds, '/usr/bin/getent', ['group', ...gids.map(String)]), {
    ...options,
    reject: false,
  });
  const names = new Map(
    stdout.split('\n').map((line): [number, string] => {
      const [name = '', , gid] = line.split(':');
      return [Number(gid), name];
    }),
  );
  return gids.map((gid) => {
    const name = names.get(gid) ?? '';
    return { gid, name: /^[A-Za-z_][A-Za-z0-9_.@-]{0,63}\$?$/.test(name) ? name : `g${gid}` };
  });
}
