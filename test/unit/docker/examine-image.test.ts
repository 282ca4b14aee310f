import { expect, it } from 'vitest';
import type { EngineClient } from '../../../src/docker/call-engine.ts';
import { findImageFaults } from '../../../src/docker/examine-image.ts';

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
