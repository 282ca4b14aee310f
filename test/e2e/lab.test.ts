/** The lab itself, as a second lab beside the one that the other tests share: so it also proves that two do not meet. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { awaitJob } from '../../lab/batch-jobs.ts';
import { execOnHost, killHost } from '../../lab/exec-on-host.ts';
import type { ExecResult } from '../../lab/exec-on-host.ts';
import { bringUp } from '../../lab/lab.ts';
import { cacheDir, stateDirOf } from '../../lab/layout.ts';
import { readStatus } from '../../lab/read-status.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { listRemains, takeDown } from '../../lab/take-down.ts';
import { e2eLabs } from '../support/e2e-lab.ts';

const name = e2eLabs.second;
const cli = fileURLToPath(new URL('../../lab/cli.ts', import.meta.url));

describe('a lab', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await bringUp({ name, hosts: 3, etcdMembers: 3, install: false });
  });

  afterAll(async () => {
    await takeDown({ name, purge: 'state' });
  });

  const onNode1 = (user: string, ...argv: string[]): Promise<ExecResult> => execOnHost(lab, 'node1', { user, argv });

  it('runs a batch job of alice on all hosts', async () => {
    const script = ['sbatch', '--parsable', '-N3', '--output=job.out', '--wrap', 'srun hostname'];
    const submitted = await onNode1('alice', ...script);
    expect(submitted).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await awaitJob(lab, submitted.stdout)).toMatchObject({ state: 'COMPLETED', exitCode: '0:0' });
    const { stdout } = await execOnHost(lab, 'node3', { user: 'alice', argv: ['sort', 'job.out'] });
    expect(stdout.split('\n')).toEqual(['node1', 'node2', 'node3']);
  });

  it('stays as it is when it is brought up again', async () => {
    const lines: string[] = [];
    const again = await bringUp({ name, install: false, report: (line) => lines.push(line) });
    expect(lines.join('\n')).toContain('daemons: all running');
    expect(again.nodes.map(({ initPid }) => initPid)).toEqual(lab.nodes.map(({ initPid }) => initPid));
  });

  it('refuses to change its shape while it runs', async () => {
    await expect(bringUp({ name, hosts: 2, install: false })).rejects.toThrow('runs with 3 hosts');
  });

  it('gives alice no way to the Docker Engine or to root', async () => {
    const docker = await onNode1('alice', 'docker', 'ps');
    expect(docker.exitCode).not.toBe(0);
    expect(docker.stderr).toContain('permission denied');
    expect((await onNode1('alice', 'sudo', '-n', 'true')).exitCode).not.toBe(0);
    expect((await onNode1('alice', 'cat', '/etc/hpc-submit-dockerjob/tls/host-key.pem')).exitCode).not.toBe(0);
  });

  it('keeps the changes of a host to that host', async () => {
    await onNode1('root', 'touch', '/etc/only-here', '/usr/local/bin/only-here', '/tmp/only-here');
    for (const file of ['/etc/only-here', '/usr/local/bin/only-here', '/tmp/only-here']) {
      expect((await execOnHost(lab, 'node2', { argv: ['test', '-e', file] })).exitCode).toBe(1);
    }
  });

  it('has an etcd that wants a certificate', async () => {
    const tls = '/etc/hpc-submit-dockerjob/tls';
    const argv = [
      'env',
      'ETCDCTL_API=3',
      'etcdctl',
      '--endpoints=https://10.77.0.1:2379',
      `--cacert=${tls}/ca.pem`,
      '--command-timeout=2s',
    ];
    const certificate = [`--cert=${tls}/host.pem`, `--key=${tls}/host-key.pem`];
    expect((await onNode1('root', ...argv, 'get', 'x')).exitCode).not.toBe(0);
    expect((await onNode1('root', ...argv, ...certificate, 'get', 'x')).exitCode).toBe(0);
  });

  it('passes on how a command in a host ends', async () => {
    expect((await onNode1('bob', 'sh', '-c', 'exit 7')).exitCode).toBe(7);
    expect((await onNode1('bob', 'sh', '-c', 'kill -KILL $$')).exitCode).toBe(137);
  });

  it('brings a host back that failed', async () => {
    await killHost(lab, 'node2');
    lab = await bringUp({ name, install: false });
    const { stdout } = await onNode1('alice', 'srun', '-w', 'node2', 'hostname');
    expect(stdout).toBe('node2');
    expect((await readStatus(name)).state).toBe('up');
  });
});

describe('a lab whose `up` was killed', () => {
  // The line after which `up` gets SIGKILL: it is then in the middle of the step that follows.
  it.each(['packages', 'certificates', 'hosts', 'daemons'])(
    'leaves nothing when it is taken down (after: %s)',
    async (line) => {
      await startAndKill(e2eLabs.killed, line);
      await takeDown({ name: e2eLabs.killed, purge: 'state' });
      expect(await listRemains(e2eLabs.killed)).toEqual([]);
    },
  );
});

describe('`down --purge`', () => {
  it('removes the state of that lab, and nothing that other labs use', async () => {
    const cached = async (): Promise<string[]> => (await readdir(`${cacheDir}/images`)).sort();
    const [state, before] = [stateDirOf(e2eLabs.killed), await cached()];
    expect(before.length).toBeGreaterThan(0);
    await mkdir(`${state}/home/alice`, { recursive: true });
    await execa(process.execPath, [cli, 'down', '--name', e2eLabs.killed, '--purge']);
    expect(existsSync(state)).toBe(false);
    expect(await cached()).toEqual(before);
  });
});

async function startAndKill(lab: string, line: string): Promise<void> {
  const up = spawn(process.execPath, [cli, 'up', '--name', lab, '--hosts', '1', '--no-install'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  for await (const text of createInterface(up.stderr))
    if (text.startsWith('ok') && text.includes(` ${line}`)) up.kill('SIGKILL');
  if (up.signalCode === null && up.exitCode === null) await once(up, 'exit');
  expect(up.signalCode).toBe('SIGKILL');
}
