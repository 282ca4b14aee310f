import { build } from 'esbuild';
import { execa } from 'execa';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dropDockerExtras } from '../../scripts/esbuild-drop-docker-extras.ts';
import { dropGrpcExtras } from '../../scripts/esbuild-drop-grpc-extras.ts';
import { compileEtcdProto } from '../../scripts/esbuild-compile-etcd-proto.ts';
import { startEtcd } from '../support/etcd-server.ts';
import type { EtcdServer } from '../support/etcd-server.ts';

const source = (name: string): string => JSON.stringify(path.resolve(import.meta.dirname, '../../src', name));

/** Uses every kind of call, closes the store and does not call process.exit. */
const program = `
import { readFileSync } from 'node:fs';
import { connectEtcd } from ${source('etcd/connect-etcd.ts')};
const file = (name: string) => readFileSync(process.argv[3] + '/' + name);
const store = connectEtcd({ endpoints: [process.argv[2]!], ca: file('ca'), cert: file('cert'), key: file('key'), callTimeoutMs: 2000 });
async function main() {
  const hinted = new Promise<void>((resolve) => store.watch({ start: '/', end: '0' }, resolve));
  const lease = await store.grantLease(30);
  await store.commit({ conditions: [{ kind: 'absent', key: '/a' }], puts: [{ key: '/a', value: '1', lease }] });
  await hinted;
  console.log(JSON.stringify((await store.read({ start: '/', end: '0' })).map(({ key, value }) => [key, value])));
  await store.close();
}
main();
`;

describe('a bundle with the etcd adapter', () => {
  let etcd: EtcdServer;
  let directory: string;

  beforeAll(async () => {
    etcd = await startEtcd();
    directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-bundle-'));
    for (const name of ['ca', 'cert', 'key'] as const) await writeFile(path.join(directory, name), etcd.identity[name]);
  });
  afterAll(async () => {
    await rm(directory, { recursive: true });
    await etcd.stop();
  });

  const bundle = async (contents: string): Promise<string> => {
    const outfile = path.join(directory, 'program.cjs');
    await build({
      stdin: { contents, loader: 'ts', resolveDir: path.resolve(import.meta.dirname, '../..') },
      outfile,
      bundle: true,
      platform: 'node',
      target: 'node24',
      format: 'cjs',
      logLevel: 'error',
      external: ['cpu-features', './crypto/build/Release/sshcrypto.node'],
      plugins: [compileEtcdProto(), dropGrpcExtras(), dropDockerExtras()],
    });
    return outfile;
  };

  it('works outside the repository, and its process ends by itself after close', async () => {
    const file = await bundle(program);
    const { stdout } = await execa(process.execPath, [file, etcd.endpoint, directory], {
      cwd: directory,
      timeout: 10_000,
    });
    expect(JSON.parse(stdout)).toEqual([['/a', '1']]);
  });

  it('brings dockerode without its BuildKit session', async () => {
    const file = await bundle(
      `import Docker from 'dockerode'; console.log(typeof new Docker({ socketPath: '/nowhere' }).ping);`,
    );
    const { stdout } = await execa(process.execPath, [file], { cwd: directory, timeout: 10_000 });
    expect(stdout).toBe('function');
    expect(await readFile(file, 'utf8')).not.toContain('grpc');
  });
});
