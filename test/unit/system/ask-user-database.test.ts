import { expect, it } from 'vitest';
import { findUid } from '../../../src/confirmation/find-uid.ts';
import { askUserDatabase } from '../../../src/system/ask-user-database.ts';
import { findGroup, findUser } from '../../../src/system/find-user.ts';
import { readUser } from '../../../src/system/read-user.ts';

const ask = async (script: string, seconds = 20): Promise<string | undefined> =>
  await askUserDatabase({ about: 'uid 2001', file: '/bin/sh', argv: ['-c', script], seconds });

it('returns the answer of the database', async () => {
  await expect(ask('echo alice:x:2001:2001::/home/alice:/bin/sh')).resolves.toMatch(/^alice:/);
});

it('tells an entry that is not there from a database that does not answer', async () => {
  await expect(ask('exit 2')).resolves.toBeUndefined();
  await expect(ask('sleep 30', 1)).rejects.toMatchObject({
    code: 'HOST_UNFIT',
    message: "This host's user database did not answer within 1 s when asked about uid 2001.",
  });
  await expect(ask('exit 1')).rejects.toMatchObject({
    code: 'HOST_UNFIT',
    message: expect.stringMatching(/^This host's user database could not be asked about uid 2001: /) as string,
  });
  await expect(ask('kill -9 $$')).rejects.toThrow(/could not be asked/);
});

it('knows nobody of a number or a name that is not there', async () => {
  const unknown = { code: 'HOST_UNFIT', message: expect.stringContaining('does not know') as string };
  await expect(readUser(3_999_999_999)).rejects.toMatchObject(unknown);
  await expect(findUser('no-such-user')).rejects.toMatchObject(unknown);
  await expect(findUid('no-such-user')).rejects.toMatchObject(unknown);
  await expect(findGroup('no-such-group')).resolves.toBeUndefined();
});

it('knows root by number and by name', async () => {
  await expect(readUser(0)).resolves.toMatchObject({ name: 'root', uid: 0 });
  await expect(findUser('root')).resolves.toMatchObject({ name: 'root', uid: 0 });
  await expect(findUid('root')).resolves.toBe(0);
});
