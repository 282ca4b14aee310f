import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireStream } from '../../../src/helper/caller/require-stream.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hpcdj-stream-'));
  writeFileSync(join(directory, 'file'), 'text');
  execFileSync('mkfifo', [join(directory, 'fifo')]);
});
afterAll(() => rmSync(directory, { recursive: true }));

const judge = (path: string, flags: string): (() => void) => {
  const descriptor = openSync(path, flags);
  return () => {
    try {
      requireStream(descriptor);
    } finally {
      closeSync(descriptor);
    }
  };
};

describe('requireStream', () => {
  it.each(['/dev/null', 'fifo'])('takes %s', (name) => {
    expect(judge(name === 'fifo' ? join(directory, name) : name, 'r+')).not.toThrow();
  });

  it('takes a socket', async () => {
    await using server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
    expect(() => requireStream(fd)).not.toThrow();
    socket.destroy();
  });

  it.each(['file', '.'])('refuses %s', (name) => {
    expect(judge(join(directory, name), 'r')).toThrow('Standard input is a file');
  });

  it.each(['/dev/zero', '/dev/full'])('refuses %s, a device that is no terminal', (path) => {
    expect(judge(path, 'r')).toThrow('or a device');
  });

  it('refuses what is not open', () => {
    const program = fileURLToPath(new URL('../../../src/helper/caller/require-stream.ts', import.meta.url));
    const script = `import { requireStream } from ${JSON.stringify(program)}; try { requireStream(63) } catch (error) { console.log(error.code) }`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
    expect(stdout).toBe('USAGE\n');
  });
});
