import { createServer } from 'node:http';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { connectEngine } from '../../../src/docker/connect-engine.ts';
import { shellContainer } from '../../support/container-spec.ts';

test('sends the options of a container in the body of the request, and only its name in the address', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-body-'));
  const seen = { address: '', body: '' };
  const server = createServer((request, response) => {
    seen.address = request.url ?? '';
    request.on('data', (part: Buffer) => (seen.body += part.toString()));
    request.on('end', () => response.writeHead(201, { 'content-type': 'application/json' }).end('{"Id":"1"}'));
  }).listen(path.join(directory, 'engine'));
  await once(server, 'listening');
  try {
    const spec = { ...shellContainer('sha256:0', 'true'), name: 'hpcdj-7-node-0' };
    await connectEngine({ socketPath: path.join(directory, 'engine') }).createContainer(spec);
    expect(seen.address).toBe('/containers/create?name=hpcdj-7-node-0');
    expect(JSON.parse(seen.body)).toMatchObject({ Image: 'sha256:0', HostConfig: { CapDrop: ['ALL'] } });
  } finally {
    server.close();
    await rm(directory, { recursive: true });
  }
});
