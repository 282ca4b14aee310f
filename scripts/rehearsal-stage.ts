/**
 * A stage for the rehearsal of the helper at build time: servers that answer as etcd and Docker would, just enough that
 * the code of a real start runs once and is kept compiled. Nothing of this is a test, and nothing of it is shipped.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { issueCertificate, makeAuthority } from '../src/pki/certificates.ts';

/** Where the rehearsal finds its partners: the value of HPCDJ_REHEARSAL, as JSON. */
export interface RehearsalPlaces {
  readonly etcd: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly dockerSocket: string;
}

export interface RehearsalStage extends AsyncDisposable {
  readonly places: RehearsalPlaces;
}

/** Answers of etcd by method, as protobuf: empty, `succeeded: true`, `ID: 1, TTL: 20`, `created: true`. */
const etcdAnswers: Readonly<Record<string, readonly number[]>> = {
  '/etcdserverpb.KV/Range': [],
  '/etcdserverpb.KV/Txn': [0x10, 1],
  '/etcdserverpb.Lease/LeaseGrant': [0x10, 1, 0x18, 20],
  '/etcdserverpb.Lease/LeaseKeepAlive': [0x10, 1, 0x18, 20],
  '/etcdserverpb.Lease/LeaseRevoke': [],
  '/etcdserverpb.Watch/Watch': [0x18, 1],
};

/** Opens the stage on the loopback interface and in a temporary directory. */
export async function openRehearsalStage(): Promise<RehearsalStage> {
  const directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-rehearsal-'));
  const authority = await makeAuthority('rehearsal', 1);
  const localhost = {
    commonName: 'localhost',
    dnsNames: ['localhost'],
    addresses: [],
    role: 'server',
    validDays: 1,
  } as const;
  const { certificate: cert, key } = await issueCertificate(authority, localhost);
  const etcd = createSecureServer({ key, cert });
  etcd.on('stream', (stream, headers) => {
    const answer = etcdAnswers[headers[':path'] ?? ''];
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': answer === undefined ? '12' : '0' }));
    stream.on('error', () => undefined);
    stream.once('data', () => {
      if (answer !== undefined) stream.write(Buffer.from([0, 0, 0, 0, answer.length, ...answer]));
      // A watch and a keep-alive stay open until the client leaves.
      if (!/Watch|KeepAlive/.test(headers[':path'] ?? '')) stream.end();
    });
  });
  const docker = createServer((request, response) => {
    const isList = /\/(?:containers|networks)(?:\/json)?\?/.test(request.url ?? '');
    const image = {
      Id: `sha256:${'0'.repeat(64)}`,
      RepoDigests: [],
      Architecture: 'amd64',
      Config: { Env: ['PATH=/bin'] },
    };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(isList ? [] : image));
  });
  const dockerSocket = path.join(directory, 'docker.sock');
  await Promise.all([once(etcd.listen(0, '127.0.0.1'), 'listening'), once(docker.listen(dockerSocket), 'listening')]);
  const { port } = etcd.address() as AddressInfo;
  return {
    places: { etcd: `https://localhost:${port}`, ca: authority.certificate, cert, key, dockerSocket },
    [Symbol.asyncDispose]: async () => {
      etcd.close();
      docker.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
