import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
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

type Child = ChildProcessByStdio<Writable, Readable, null>;

async function sayNext(child: Child): Promise<string> {
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  return String(chunk).trim();
}

it.each(['at a free path', 'at the path of a dead server'])(
  'is served by exactly one of several processes that begin at the same moment %s',
  async (where) => {
    const directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-store-'));
    const socketPath = path.join(directory, 'store.sock');
    const program = path.resolve(import.meta.dirname, '../support/serve-store-process.ts');
    const children = Array.from({ length: 4 }, () =>
      spawn(process.execPath, [program, socketPath], { stdio: ['pipe', 'pipe', 'inherit'] }),
    );
    onTestFinished(async () => {
      for (const child of children) child.kill('SIGKILL');
      await rm(directory, { recursive: true });
    });
    await Promise.all(children.map(sayNext));
    if (where !== 'at a free path') await writeFile(socketPath, '');
    const said = Promise.all(children.map(sayNext));
    for (const child of children) child.stdin.write('go\n');
    expect((await said).toSorted()).toEqual(['JOB_BUSY', 'JOB_BUSY', 'JOB_BUSY', 'serving']);
    const store = connectLocalStore(socketPath);
    expect(await store.read({ start: '/', end: '0' })).toEqual([]);
    await store.close();
    const ends = Promise.all(children.filter(({ exitCode }) => exitCode === null).map((child) => once(child, 'exit')));
    for (const child of children) child.stdin.end();
    await ends;
    expect(await readdir(directory)).toEqual([]);
  },
);
