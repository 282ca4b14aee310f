import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { checkUntamperable } from '../../system/check-untamperable.ts';
import { runAsRoot } from '../../system/run-as-root.ts';
import { asClause, JobError } from '../../values/errors.ts';
import type { Answer, Check } from '../../contract/finding.ts';
import { fine, skipped } from '../../contract/finding.ts';

/** Members of a group by its number, out of the host's user database. */
export type ListMembers = (gid: number) => Promise<readonly string[]>;

/** Nobody but root can open the Docker socket: who can is root. */
export function checkDockerSocket(socket: string, listMembers: ListMembers = askGetent): Check {
  return {
    name: 'docker-socket',
    look: async () => await examine(socket, listMembers),
  };
}

async function examine(socket: string, listMembers: ListMembers): Promise<Answer> {
  const facts = await stat(socket).catch(() => undefined);
  if (facts === undefined) return skipped(`there is no ${socket} now`);
  await checkUntamperable(dirname(socket), { expected: 'directory', code: 'NOT_PERMITTED' });
  if (facts.uid !== 0) throw open(socket, `belongs to uid ${facts.uid}`);
  if ((facts.mode & 0o002) !== 0) throw open(socket, 'can be opened by everybody');
  const members = (facts.mode & 0o020) === 0 ? [] : await listMembers(facts.gid);
  const others = members.filter((name) => name !== 'root');
  if (others.length > 0) throw open(socket, `can be opened by ${others.join(', ')} (group ${facts.gid})`);
  return fine(`only root can open ${socket}`);
}

function open(socket: string, fault: string): JobError {
  return new JobError({
    code: 'NOT_PERMITTED',
    message: `The Docker socket ${socket} ${fault}: anyone who can open it has all rights of root.`,
    hint: 'Remove all users from its group ("gpasswd -d USER docker"), or set "group": "root" in daemon.json.',
  });
}

/** Members by this host's user database; those whose own group it is do not stand there. Fails with `HOST_UNFIT`. */
export async function askGetent(gid: number, getent = '/usr/bin/getent'): Promise<readonly string[]> {
  const { stdout, exitCode, shortMessage, timedOut } = await runAsRoot(getent, ['group', String(gid)], {
    locale: 'C.UTF-8',
    timeoutMs: 10_000,
    detached: false,
  });
  // 2: there is no such group, so nobody is in it.
  if (exitCode !== 0 && exitCode !== 2) {
    throw new JobError({
      code: 'HOST_UNFIT',
      message: `The members of group ${gid}, which can open the Docker socket, are not known: ${timedOut ? 'no answer within 10 s' : asClause(shortMessage ?? '')}.`,
      hint: 'Find out why getent group does not answer on this host.',
    });
  }
  return (stdout.trim().split(':')[3] ?? '').split(',').filter(Boolean);
}
