import type { HostUser } from '../values/host-user.ts';
import { JobError } from '../values/errors.ts';
import { askUserDatabase } from './ask-user-database.ts';

const askSeconds = 20;

/**
 * Prints the entry of the uid `$1`, the numbers of its groups, and those groups, as far as each is known: getent answers 2
 * when one of several is missing. One shell, since every start of a program costs this process some 10 ms.
 */
const askDatabase = `
set -f
newline='
'
entry=$(getent passwd "$1") || exit
entry=\${entry%%"$newline"*}
gids=$(id -G -- "\${entry%%:*}") || exit
printf '%s\n' "$entry" "$gids"
getent group $gids
exit 0
`;

/**
 * The user with all groups; asks NSS through getent and id, so that LDAP and the like work. Fails with `HOST_UNFIT` when
 * the database does not know them, and otherwise when it does not answer.
 */
export async function readUser(uid: number): Promise<HostUser> {
  const argv = ['-c', askDatabase, 'read-user', String(uid)];
  const answer = await askUserDatabase({ about: `uid ${uid}`, file: '/bin/sh', argv, seconds: askSeconds });
  const user = answer === undefined ? undefined : parseUser(answer, uid);
  if (user !== undefined) return user;
  throw new JobError({
    code: 'HOST_UNFIT',
    message: `This host's user database does not know uid ${uid}.`,
    hint: "Check that getent passwd works for the job's user on every host.",
  });
}

function parseUser(answer: string, uid: number): HostUser | undefined {
  const [entry = '', gidList = '', ...groups] = answer.split('\n');
  const [name = '', , uidText, gidText, , home = '/'] = entry.split(':');
  // A database that also answers to names of digits could hand out somebody else.
  if (Number(uidText) !== uid || !/^[A-Za-z_][A-Za-z0-9_.@-]{0,63}\$?$/.test(name)) return undefined;
  const gids = gidList.trim().split(/\s+/).map(Number);
  return {
    ...{ name, uid, gid: Number(gidText), home: home.startsWith('/') ? home : '/' },
    groups: nameGroups(gids, groups),
  };
}

function nameGroups(gids: readonly number[], lines: readonly string[]): HostUser['groups'] {
  const names = new Map(
    lines.map((line): [number, string] => {
      const [name = '', , gid] = line.split(':');
      return [Number(gid), name];
    }),
  );
  return gids.map((gid) => {
    const name = names.get(gid) ?? '';
    return { gid, name: /^[A-Za-z_][A-Za-z0-9_.@-]{0,63}\$?$/.test(name) ? name : `g${gid}` };
  });
}

/** The user with the job's primary group (`newgrp`, `sg`); with their own where the database does not have them in it. */
export function inGroupOfJob(user: HostUser, gid: number | undefined): HostUser {
  const isMember = gid !== undefined && user.groups.some((group) => group.gid === gid);
  return isMember ? { ...user, gid } : user;
}
