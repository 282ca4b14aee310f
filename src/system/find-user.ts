import type { HostUser } from '../values/host-user.ts';
import { JobError } from '../values/errors.ts';
import { askUserDatabase } from './ask-user-database.ts';
import { readUser } from './read-user.ts';

const askSeconds = 10;
const largestId = 0xff_ff_ff_fe;

/**
 * The user of that name, or of that number where digits are given, with all groups: digits are never a name, as root's
 * side has it. Fails with `HOST_UNFIT` when this host's user database does not know them, or does not answer.
 */
export async function findUser(text: string): Promise<HostUser> {
  const uid = isNumber(text) ? Number(text) : Number((await findEntry('passwd', text))?.[2] ?? NaN);
  if (!Number.isInteger(uid) || uid > largestId) throw unknown(text);
  // By the number, as root's side does: of two names of one number it knows the first.
  return await readUser(uid);
}

/**
 * Number and name of a group, by either; undefined when this host's user database does not know it. Fails with
 * `HOST_UNFIT` when it does not answer.
 */
export async function findGroup(text: string): Promise<HostUser['groups'][number] | undefined> {
  const gid = isNumber(text) ? text : ((await findEntry('group', text))?.[2] ?? '');
  const [name] = (isNumber(gid) ? await findEntry('group', gid) : undefined) ?? [];
  return name === undefined ? undefined : { name, gid: Number(gid) };
}

/** True for digits, which mean a number wherever a user or group is named. */
export function isNumber(text: string): boolean {
  return /^\d{1,10}$/.test(text);
}

async function findEntry(database: 'passwd' | 'group', key: string): Promise<readonly string[] | undefined> {
  const about = `${database === 'passwd' ? 'user' : 'group'} ${JSON.stringify(key.slice(0, 60))}`;
  const answer = await askUserDatabase({ about, argv: [database, '--', key], seconds: askSeconds });
  const fields = answer?.split('\n', 1)[0]?.split(':') ?? [];
  const isMeant = isNumber(key) ? Number(fields[2]) === Number(key) : fields[0] === key;
  return isMeant ? fields : undefined;
}

function unknown(text: string): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: `This host's user database does not know the user ${JSON.stringify(text.slice(0, 60))}.`,
    hint: 'Check that getent passwd works for the user on every host.',
  });
}
