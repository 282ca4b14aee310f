import { expect, it } from 'vitest';
import { describeImageHere } from '../../../src/middleware/policy/find-image-here.ts';

it.each([
  [
    { reference: 'r.example/a:1', isPresent: true, id: 'sha256:1', digest: 'r.example/a@sha256:2', bytes: 2048 },
    'The image is on this host: r.example/a@sha256:2, 2 KiB.',
  ],
  [
    { reference: 'a:1', isPresent: true, id: 'sha256:1', platform: 'linux/amd64' },
    'The image is on this host: sha256:1, linux/amd64.',
  ],
  [{ reference: 'a:1', isPresent: false }, 'The image is not on this host.'],
  [
    { reference: 'r.example/a:1', isPresent: false, fetchedFrom: 'r.example' },
    'The image is not on this host: the job fetches it from r.example.',
  ],
  [{ unknown: 'there is no helper' }, 'Whether the image is on this host is not known: there is no helper.'],
])('says of %j what is known', (here, words) => {
  expect(describeImageHere(here)).toBe(words);
});
