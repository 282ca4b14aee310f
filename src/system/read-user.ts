import type { HostUser } from '../values/host-user.ts';
import { JobError } from '../values/errors.ts';
import { boundCommand } from './bound-command.ts';
import { runAsRoot } from './run-as-root.ts';

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

/** The user with all groups; asks NSS through getent and id, so that LDAP and the like work. Fails with `HOST_UNFIT`. */
export async function readUser(uid: number): Promise<HostUser> {
  try {
    const [entry = '', gidList = '', ...groups] = (await ask(uid)).split('\n');
    const [name = '', , uidText, gidText, , home = '/'] = entry.split(':');
    // A database that also answers to names of digits could hand out somebody else.
    if (Number(uidText) !== uid || !/^[A-Za-z_][A-Za-z0-9_.@-]{0,63}\$?$/.test(name))
      throw new Error(`unusable entry "${entry.slice(0, 80)}"`);
    const gids = gidList.trim().split(/\s+/).map(Number);
    return {
      ...{ name, uid, gid: Number(gidText), home: home.startsWith('/') ? home : '/' },
      groups: nameGroups(gids, groups),
    };
  } catch (cause) {
    throw new JobError({
      code: 'HOST_UNFIT',
      message: `This host's user database does not know uid ${uid}.`,
      hint: "Check that getent passwd works for the job's user on every host.",
      cause,
    });
  }
}

async function ask(uid: number): Promise<string> {
  const argv = ['-c', askDatabase, 'read-user', String(uid)];
  const { failed, stdout, shortMessage } = await runAsRoot(...boundCommand(askSeconds, '/bin/sh', argv), {
    locale: 'C.UTF-8',
  });
  if (failed) throw new Error(shortMessage);
  return stdout;
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
