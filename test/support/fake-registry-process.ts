/** The process behind `startFakeRegistry`. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { FakeRegistryOptions, RegistryFault } from './fake-registry.ts';

const options = JSON.parse(process.argv[2] ?? '{}') as FakeRegistryOptions;
const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

interface FakeImage {
  readonly manifest: Buffer;
  readonly blobs: readonly Buffer[];
}

const manifestType = 'application/vnd.docker.distribution.manifest.v2+json';
const first = makeImage();
const images: FakeImage[] = [first];
const blobs = new Map<string, Buffer>();
keepBlobs(first);

let fault: RegistryFault | undefined;
let left = Infinity;
const requests: string[] = [];

const serve = (request: IncomingMessage, response: ServerResponse): void => {
  const { method = '', url = '', headers } = request;
  requests.push(`${method} ${url} ${headers.authorization ?? '-'}`);
  const isGranted =
    options.credentials === undefined ||
    headers.authorization === `Basic ${Buffer.from(options.credentials).toString('base64')}`;
  response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0');
  if (!isGranted) {
    response.setHeader('WWW-Authenticate', 'Basic realm="test"');
    refuse(response, 401, 'UNAUTHORIZED', 'authentication required');
  } else answer(request, response, url);
};
const { at } = options;
const server =
  at === undefined
    ? createServer(serve)
    : createTlsServer({ cert: readFileSync(at.certificateFile), key: readFileSync(at.keyFile) }, serve);

function answer(request: IncomingMessage, response: ServerResponse, url: string): void {
  const found = /^\/v2\/app\/(manifests|blobs)\/(.+)$/.exec(url);
  if (url === '/v2/') return void response.end('{}');
  if (found === null) {
    refuse(response, 404, 'NAME_UNKNOWN', 'repository name not known to registry');
    return;
  }
  const [, kind, name = ''] = found;
  const isManifest = kind === 'manifests';
  const broken = takeFault(isManifest ? 'manifest' : 'blob');
  if (broken?.status !== undefined) {
    const codes: Record<number, string> = {
      401: 'UNAUTHORIZED',
      403: 'DENIED',
      404: 'MANIFEST_UNKNOWN',
      429: 'TOOMANYREQUESTS',
    };
    refuse(response, broken.status, codes[broken.status] ?? 'UNKNOWN', 'as the test wants it');
    return;
  }
  if (broken?.redirectTo !== undefined) {
    response.statusCode = 307;
    response.setHeader('Location', broken.redirectTo);
    return void response.end();
  }
  const tagged = images.at(-1)?.manifest;
  const bytes = !isManifest ? blobs.get(name) : name === 'latest' ? tagged : findManifest(name);
  if (bytes === undefined) {
    refuse(response, 404, 'MANIFEST_UNKNOWN', 'manifest unknown');
    return;
  }
  if (isManifest) {
    response.setHeader('Content-Type', manifestType);
    response.setHeader('Docker-Content-Digest', sha256(bytes));
  }
  response.setHeader('Content-Length', bytes.length);
  if (request.method === 'HEAD') return void response.end();
  if (broken?.cut === true) {
    response.write(bytes.subarray(0, Math.floor(bytes.length / 2)));
    return void setTimeout(() => response.destroy(), 20);
  }
  const sent = broken?.corrupt === true ? Buffer.from(bytes).fill(0x20, bytes.length - 8, bytes.length - 2) : bytes;
  void send(response, sent, broken?.bytesPerSecond);
}

async function send(response: ServerResponse, bytes: Buffer, bytesPerSecond = Infinity): Promise<void> {
  const step = Math.max(1, Math.floor(bytesPerSecond / 10));
  for (let at = 0; at < bytes.length && !response.destroyed; at += step) {
    response.write(bytes.subarray(at, Math.min(bytes.length, at + step)));
    if (Number.isFinite(bytesPerSecond)) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  response.end();
}

function takeFault(kind: 'manifest' | 'blob'): RegistryFault | undefined {
  if (fault === undefined || (fault.of !== undefined && fault.of !== kind) || left <= 0) return undefined;
  left -= 1;
  return fault;
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ errors: [{ code, message, detail: null }] }));
}

function makeImage(): FakeImage {
  const tar = makeLayer(options.layerBytes ?? 4096);
  const layer = gzipSync(tar, { level: 1 });
  const config = Buffer.from(
    JSON.stringify({
      architecture: options.architecture ?? (process.arch === 'x64' ? 'amd64' : process.arch),
      os: 'linux',
      config: { Env: ['PATH=/bin'] },
      rootfs: { type: 'layers', diff_ids: [sha256(tar)] },
      history: [{ created_by: 'a test' }],
    }),
  );
  const describe = (mediaType: string, bytes: Buffer) => ({ mediaType, size: bytes.length, digest: sha256(bytes) });
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: describe('application/vnd.docker.container.image.v1+json', config),
    layers: [describe('application/vnd.docker.image.rootfs.diff.tar.gzip', layer)],
  };
  return { manifest: Buffer.from(JSON.stringify(manifest)), blobs: [config, layer] };
}

function keepBlobs(image: FakeImage): void {
  for (const bytes of image.blobs) blobs.set(sha256(bytes), bytes);
}

function findManifest(digest: string): Buffer | undefined {
  return images.find(({ manifest }) => sha256(manifest) === digest)?.manifest;
}

function makeLayer(bytes: number): Buffer {
  const directory = mkdtempSync(path.join(tmpdir(), 'hpcdj-layer-'));
  try {
    writeFileSync(path.join(directory, 'data'), randomBytes(bytes));
    if (options.hasShell === true) {
      mkdirSync(path.join(directory, 'bin'));
      copyFileSync('/bin/busybox', path.join(directory, 'bin/busybox'));
      symlinkSync('busybox', path.join(directory, 'bin/sh'));
    }
    return execFileSync('tar', ['-C', directory, '-cf', '-', '.'], { maxBuffer: bytes + 16 * 1024 * 1024 });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

process.on(
  'message',
  (message: { readonly fault?: RegistryFault | null; readonly tell?: boolean; readonly moveTag?: boolean }) => {
    if (message.tell === true) process.send?.({ requests });
    else if (message.moveTag === true) {
      const next = makeImage();
      keepBlobs(next);
      images.push(next);
    } else {
      fault = message.fault ?? undefined;
      left = fault?.times ?? Infinity;
    }
  },
);
process.on('disconnect', () => process.exit());
server.listen(0, options.at?.address ?? '127.0.0.1', () =>
  process.send?.({
    port: (server.address() as AddressInfo).port,
    digest: sha256(first.manifest),
    layerDigest: sha256(first.blobs[1] ?? first.manifest),
  }),
);
