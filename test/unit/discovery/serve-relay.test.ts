import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { frameType } from '../../../src/discovery/relay/relay-frames.ts';
import { encodeFrame } from '../../../src/system/frames.ts';
import { serveRelay } from '../../../src/discovery/relay/serve-relay.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hpcdj-relay-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

it('takes no input into memory while the login to the node is being made', async () => {
  const socketPath = join(directory, 'relay');
  const peer = { index: 1, hostname: '772-node-1', ip: '10.0.0.3', slots: 1, sshPublicKey: 'k', hostPublicKey: 'k' };
  const never = new Promise<never>(() => undefined);
  const server = await serveRelay(socketPath, 'alice', {
    describeNames: () => '772-node-0',
    findPeer: () => peer,
    connect: async () => await never,
  });
  const client = connect(socketPath);
  await once(client, 'connect');
  client.write(encodeFrame(frameType.open, JSON.stringify({ host: peer.hostname, command: 'cat' })));
  const mebibyte = Buffer.alloc(1024 ** 2);
  for (let count = 0; count < 16; count++) client.write(encodeFrame(frameType.input, mebibyte));
  await pause(500);
  expect(client.writableLength).toBeGreaterThan(12 * 1024 ** 2);
  client.destroy();
  server.close();
});
