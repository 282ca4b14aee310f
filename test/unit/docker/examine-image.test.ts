import { expect, it } from 'vitest';
import type { EngineClient } from '../../../src/docker/call-engine.ts';
import { findImageFaults, listMisnamedGroups } from '../../../src/docker/examine-image.ts';

it('tells why an image could not be looked into, also when the container for it stays', async () => {
  const refusal = (message: string) => Promise.reject(Object.assign(new Error(message), { statusCode: 500 }));
  const container = {
    id: 'abc',
    inspect: () => refusal('disk is broken'),
    infoArchive: () => new Promise(() => undefined),
    remove: () => refusal('device is busy'),
  };
  const docker = { createContainer: () => Promise.resolve(container), getContainer: () => container };
  const client = {
    docker,
    socketPath: '/run/docker.sock',
    callTimeoutMs: 1000,
    retryMs: 0,
    absence: { since: undefined },
  } as unknown as EngineClient;
  const question = { imageId: 'sha256:1', name: 'look', labels: {}, volumes: [], places: [] };
  await expect(findImageFaults(client, question)).rejects.toMatchObject({
    code: 'HOST_UNFIT',
    message: 'The Docker Engine refused to look at the container: disk is broken.',
  });
});

it.each([
  ['plain', '2100:x:42:'],
  ['blanks around it', ' \t2100:x:42:\r'],
  ['a character that Go leaves out at the ends of a line, and JavaScript does not', '\u00852100:x:42:'],
  ['others of that kind', '\u{1680}\u{2028}\u{3000}\ufeff\u0000\u200b2100\u0085:x:42:'],
  ['no gid', '2100'],
  ['a gid that is none', '2100:x:2100x:'],
])('finds a group called by the number of another: %s', (_, line) => {
  expect(listMisnamedGroups(`root:x:0:\n${line}\n`)).toHaveLength(1);
});

it.each(['2100:x:2100:', 'cfd:x:2100:alice', 'cfd2:x:3:', '# 2100:x:42:', ''])('finds none in %j', (line) => {
  expect(listMisnamedGroups(line)).toEqual([]);
});
