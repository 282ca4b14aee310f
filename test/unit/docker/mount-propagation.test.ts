import { expect, test } from 'vitest';
import { propagationOf } from '../../../src/docker/choose-mount-propagation.ts';

const mountinfo = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /private rw,relatime - tmpfs tmpfs rw
31 22 0:27 / /home rw master:5 - autofs auto rw
32 22 0:28 / /with\\040blank rw,relatime - tmpfs tmpfs rw
33 22 0:29 / /twice rw shared:7 - tmpfs tmpfs rw
34 33 0:30 / /twice rw - tmpfs tmpfs rw
35 22 0:31 / /unbindable rw unbindable - tmpfs tmpfs rw
`;

test.each([
  ['/scratch/ada', 'rslave'],
  ['/private', 'rprivate'],
  ['/private/deep/er', 'rprivate'],
  ['/privateer', 'rslave'],
  ['/home/ada', 'rslave'],
  ['/with blank/x', 'rprivate'],
  ['/twice', 'rprivate'],
  ['/unbindable', 'rprivate'],
])('of %s is %s', (path, propagation) => {
  expect(propagationOf(mountinfo, path)).toBe(propagation);
});

test('is private where nothing is known', () => {
  expect(propagationOf('', '/x')).toBe('rprivate');
});
