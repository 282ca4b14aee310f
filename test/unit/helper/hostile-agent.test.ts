/** Somebody in the container speaks for the agent: whatever comes, the helper has a message of the agent's, an end or NODE_LOST. */
import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { afterAll, expect, it } from 'vitest';
import { serveAgent } from '../../../src/helper/node/serve-agent.ts';
import { JobError } from '../../../src/values/errors.ts';

const directory = mkdtempSync('/tmp/hostile-agent-');
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let count = 0;

/** What the helper makes of these pieces, sent by who has the connection: the types of messages, and how it ended. */
async function hear(...pieces: readonly (string | Buffer)[]): Promise<readonly string[]> {
  const path = `${directory}/${(count += 1)}.sock`;
  const server = await serveAgent(path, process.getuid?.() ?? 0);
  const socket = connect(path);
  socket.on('error', () => undefined); // the helper hangs up
  const link = await server.link;
  void send(socket, pieces);
  const heard: string[] = [];
  try {
    for (let message = await link.receive(); message !== undefined; message = await link.receive())
      heard.push(message.type);
    heard.push('end');
  } catch (error) {
    heard.push(error instanceof JobError ? error.code : String(error));
  }
  socket.destroy();
  await server.close();
  return heard;
}

async function send(socket: Socket, pieces: readonly (string | Buffer)[]): Promise<void> {
  for (const piece of pieces)
    if (!socket.destroyed && !socket.write(piece))
      await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined);
  socket.end();
}

const ready = '{"type":"ready"}\n';
const lost = ['NODE_LOST'];

it.each<readonly [string, readonly (string | Buffer)[], readonly string[]]>([
  ['a message in single bytes', Array.from({ length: ready.length }, (__, at) => ready.charAt(at)), ['ready', 'end']],
  ['zeros', [Buffer.alloc(100_000)], lost],
  ['zeros as lines', [Buffer.from('\0\0\0\n')], lost],
  ['twenty megabytes without a line end', [Buffer.alloc(20 * 1024 * 1024, 0x61)], lost],
  ['a line of 70 kB', [`{"type":"note","message":"${'x'.repeat(70_000)}"}\n`], lost],
  ['no text', [Buffer.from([0xff, 0xfe, 0x0a])], lost],
  ['a type out of the prototype', ['{"type":"__proto__"}\n'], lost],
  ['a field more', ['{"type":"ready","uid":0}\n'], lost],
  ['a status beyond all', ['{"type":"exited","exitStatus":256}\n'], lost],
  ['a code that is not the agent’s', ['{"type":"failed","code":"CONFIG_INVALID","message":"x"}\n'], lost],
  [
    'a key with a comment',
    [`{"type":"hello","sshPublicKey":"ssh-ed25519 ${'A'.repeat(68)} x","hostPublicKey":"x"}\n`],
    lost,
  ],
  ['nested lists', [`${'['.repeat(60_000)}\n`], lost],
  ['half a message', [ready, '{"type":"re'], ['ready', 'end']],
])('%s', async (_, pieces, heard) => {
  expect(await hear(...pieces)).toEqual(heard);
});

it('a flood of messages ends the connection and takes no memory', async () => {
  const heard = await hear(...Array.from({ length: 100 }, () => ready.repeat(4000)));
  expect(heard.at(-1)).toMatch(/^(?:NODE_LOST|end)$/);
  expect(heard.length).toBeLessThan(410_000);
});

it('a second connection gets no answer', async () => {
  const path = `${directory}/second.sock`;
  const server = await serveAgent(path, process.getuid?.() ?? 0);
  const first = connect(path);
  await server.link;
  const second = connect(path);
  await expect(once(second, 'connect')).rejects.toThrow(/ECONNREFUSED|ENOENT/);
  first.destroy();
  await server.close();
});
