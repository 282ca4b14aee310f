import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connectLocalStore } from '../../src/local-store/connect-local-store.ts';
import { createMemoryStore } from '../../src/local-store/memory-store.ts';
import { serveStore } from '../../src/local-store/serve-store.ts';
import { describeStoreContract } from './store-contract.ts';

describeStoreContract('the store over a Unix socket', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-store-'));
  const socketPath = path.join(directory, 'store.sock');
  const server = await serveStore(createMemoryStore(), socketPath);
  return {
    connect: () => connectLocalStore(socketPath),
    stop: async () => {
      await server.close();
      await rm(directory, { recursive: true });
    },
  };
});
