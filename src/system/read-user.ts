import type { HostUser } from '../values/host-user.ts';
import { JobError } from '../values/errors.ts';
import { boundCommand } from './bound-command.ts';
import { runAsRoot } from './run-as-root.ts';
import type { RunEnd } from './run-as-root.ts';

const askSeconds = 10;
/** The user with all groups; asks NSS through getent and id, so that LDAP and the like work. */
export async function readUser(uid: number): Promise<HostUser> {
  try {
    const stdout = demandOutput(await ask('/usr/bin/getent', ['passwd', String(uid)]));
    const [name = '', , uidText, gidText, , home = '/'] = stdout.split('\n')[0]?.split(':') ?? [];
    // A database that also answers to names of digits could hand out somebody else.
    if (Number(uidText) !== uid || !/^[A-Za-z_][A-Za-z0-9_.@-]{0,63}\$?$/.test(name))
      throw new Error(`unusable entry "${stdout.slice(0, 80)}"`);
    const gidList = demandOutput(await ask('/usr/bin/id', ['-G', '--', name]));
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

async function ask(file: string, argv: readonly string[]): Promise<RunEnd> {
  return await runAsRoot(...boundCommand(askSeconds, file, argv), { locale: 'C.UTF-8' });
}

function demandOutput({ failed, stdout, shortMessage }: RunEnd): string {
  if (failed) throw new Error(shortMessage);
  return stdout;
}

/** The user with the job's primary group (`newgrp`, `sg`); with their own where the database does not have them in it. */
export function inGroupOfJob(user: HostUser, gid: number | undefined): HostUser {
  const isMember = gid !== undefined && user.groups.some((group) => group.gid === gid);
  return isMember ? { ...user, gid } : user;
}

async function readGroups(gids: readonly number[]): Promise<HostUser['groups']> {
  // getent answers 2 when one of several is missing: the others are printed all the same.
  const { stdout } = await ask('/usr/bin/getent', ['group', ...gids.map(String)]);
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
