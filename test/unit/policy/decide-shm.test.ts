import { expect, test } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { refuseLargeShm } from '../../../src/policy/decide-shm.ts';

const gibibyte = 1024 ** 3;
const site = (container: string) => parseSite(`version: 1\ncontainer: {${container}}\n`);

test.each([
  ['nothing is asked for', 'shmMaxBytes: 0', undefined],
  ['just as much is asked for as the site allows', `shmMaxBytes: ${2 * gibibyte}`, 2 * gibibyte],
  [
    'no more is asked for than each job gets, whatever the bound',
    `shmBytes: ${4 * gibibyte}, shmMaxBytes: 0`,
    4 * gibibyte,
  ],
])('lets a request through when %s', (_, container, wanted) => {
  expect(() => refuseLargeShm(site(container), wanted)).not.toThrow();
});

test('refuses more than that, and names the bound', () => {
  const refuse = (): void => refuseLargeShm(site(`shmMaxBytes: ${2 * gibibyte}`), 2 * gibibyte + 1);
  expect(refuse).toThrow(expect.objectContaining({ code: 'SHM_NOT_ALLOWED', exitStatus: 77 }) as Error);
  expect(refuse).toThrow('A /dev/shm of 2.0 GiB was asked for; this site allows 2 GiB.');
});
