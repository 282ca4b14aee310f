import { askUserDatabase } from '../system/ask-user-database.ts';
import { JobError } from '../values/errors.ts';

const askSeconds = 10;

/** The uid of a user whom the scheduler names, by this host’s user database. Fails with `HOST_UNFIT`, also when that does not answer. */
export async function findUid(name: string): Promise<number> {
  // A name of digits would be looked up as a uid.
  if (!/^[A-Za-z_][A-Za-z0-9_.@-]{0,63}\$?$/.test(name)) throw unknownUser(name);
  const about = `user ${name}`;
  const answer = (await askUserDatabase({ about, argv: ['passwd', '--', name], seconds: askSeconds })) ?? '';
  const [found, , uid = ''] = answer.split('\n', 1)[0]?.split(':') ?? [];
  if (found !== name || !/^\d{1,10}$/.test(uid)) throw unknownUser(name);
  return Number(uid);
}

function unknownUser(name: string): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: `This host's user database does not know the user ${JSON.stringify(name.slice(0, 80))} that the scheduler names.`,
    hint: "Check that getent passwd works for the job's user on every host.",
  });
}
