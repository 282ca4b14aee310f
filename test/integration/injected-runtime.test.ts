import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { containerPaths } from '../../src/contract/container-paths.ts';
import { AgentJob, AgentNode } from '../support/agent-nodes.ts';
import type { LaunchAgent } from '../support/agent-nodes.ts';
import { busyboxImage, startDockerEngine } from '../support/docker-engine.ts';
import type { TestEngine } from '../support/docker-engine.ts';
import { assembleTestRuntime } from '../support/runtime.ts';

let engine: TestEngine;
let runtime: string;
const undo: (() => Promise<void>)[] = [];
const network = 'hpcdj-test-job';

beforeAll(async () => {
  runtime = await assembleTestRuntime();
  undo.push(() => rm(runtime, { recursive: true }));
  await chmod(runtime, 0o755);
  engine = await startDockerEngine();
  undo.push(() => engine.stop());
  await engine.docker('network', 'create', '--subnet', '10.199.9.0/24', network);
  await makeImageWithOtherLibc();
}, 120_000);

afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

// An image whose C library is unusable, as one that is too old would be: whoever loads it dies.
async function makeImageWithOtherLibc(): Promise<void> {
  const files = await mkdtemp(path.join(tmpdir(), 'hpcdj-libc-'));
  undo.push(() => rm(files, { recursive: true }));
  for (const directory of ['lib/x86_64-linux-gnu', 'lib64']) {
    await mkdir(path.join(files, directory), { recursive: true });
    for (const name of ['libc.so.6', 'ld-linux-x86-64.so.2'])
      await writeFile(path.join(files, directory, name), 'none\n');
  }
  const id = await engine.docker('create', busyboxImage, 'true');
  for (const directory of ['lib', 'lib64']) await engine.docker('cp', path.join(files, directory), `${id}:/`);
  await engine.docker('commit', id, 'hpcdj/other-libc:1');
  await engine.docker('rm', id);
}

/** As the helper starts it: the user's ids, no capabilities, nothing of the image but its files. */
function launchInContainer(image: string, address: string, workdir: string): LaunchAgent {
  const inRuntime = (name: string): string => `${containerPaths.runtime}/${name}`;
  const options = [
    ...[
      '--rm',
      '--init',
      '--user',
      '4711:4711',
      '--read-only',
      '--cap-drop',
      'ALL',
      '--security-opt',
      'no-new-privileges',
    ],
    ...['--network', network, '--ip', address, '--workdir', '/'],
    ...['--tmpfs', `${containerPaths.private}:rw,exec,mode=0700,uid=4711,gid=4711`],
    ...['--mount', `type=bind,src=${path.join(runtime, 'runtime')},dst=${containerPaths.runtime},readonly`],
    ...['--mount', `type=bind,src=${workdir},dst=/work`],
  ];
  const argv = ['lib/ld-linux-x86-64.so.2', '--library-path', 'lib', 'bin/node', 'agent.cjs'];
  const command = argv.map((word) => (word.startsWith('--') ? word : inRuntime(word)));
  return ({ socketPath }) =>
    spawn(
      'docker',
      [
        ...['--host', `unix://${engine.socketPath}`, 'run', ...options],
        ...['--mount', `type=bind,src=${path.dirname(socketPath)},dst=${containerPaths.socketDirectory},readonly`],
        ...[image, ...command],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
}

async function startJob(image: string): Promise<AgentJob> {
  const workdir = await mkdtemp(path.join(tmpdir(), 'hpcdj-workdir-'));
  await chmod(workdir, 0o777);
  const addresses = ['10.199.9.2', '10.199.9.3'];
  const nodes = await Promise.all(
    addresses.map((address) => AgentNode.start(launchInContainer(image, address, workdir))),
  );
  return new AgentJob(nodes, workdir, 2222, addresses);
}

describe('the injected runtime', () => {
  test.for([
    ['holds nothing but a static busybox', busyboxImage],
    ['has another C library', 'hpcdj/other-libc:1'],
  ] as const)('runs a job on two nodes in an image that %s', async ([, image]) => {
    await using job = await startJob(image);
    await job.run({
      workdir: '/work',
      command: {
        kind: 'shell',
        text: 'id -u; ssh 772-node-1 "hostname -i; exit 5"; echo $?; echo x | ssh 10.199.9.3 cat',
      },
    });
    await job.master.expect('exited');
    expect(await job.finish()).toEqual([0, 0]);
    expect(job.master.stdout).toBe('4711\n10.199.9.3\n5\nx\n');
    expect(job.master.stderr).toBe('');
  });

  test('ends its container when the helper is gone', async () => {
    await using job = await startJob(busyboxImage);
    await job.run({ workdir: '/work', command: { kind: 'shell', text: 'trap "" TERM; while :; do sleep 1; done' } });
    for (const node of job.nodes) node.dropHelper();
    await Promise.all(job.nodes.map((node) => node.exited));
    expect(await engine.docker('ps', '--quiet', '--all')).toBe('');
  });
});
