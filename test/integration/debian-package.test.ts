/** The Debian package by real dpkg, on a copy of this machine in memory: installed, updated, removed and purged. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const opt = '/opt/hpc-submit-dockerjob';

let directory: string;
let holder: ReturnType<typeof spawn>;
let file: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-debian-'));
  await execa('bash', ['scripts/run', 'package', `${directory}/packages`], { cwd: root });
  [file = ''] = await readdir(`${directory}/packages`);
  const hold = ['--mount', '--propagation', 'private', '--', 'sh', `${root}/test/support/hold-debian.sh`];
  await execa('mkdir', [`${directory}/machine`]);
  holder = spawn('unshare', [...hold, `${directory}/machine`], { stdio: ['pipe', 'pipe', 'inherit'] });
  if (holder.stdout) await once(holder.stdout, 'data');
  await execa('nsenter', [
    '--target',
    String(holder.pid),
    '--mount',
    '--',
    'cp',
    `${directory}/packages/${file}`,
    `${directory}/machine/root/mnt/`,
  ]);
}, 300_000);

afterAll(async () => {
  holder.stdin?.end();
  await once(holder, 'exit');
  await rm(directory, { recursive: true });
});

interface Ended {
  readonly text: string;
  readonly exitCode: number | undefined;
}

async function on(script: string): Promise<Ended> {
  const entered = ['--target', String(holder.pid), '--mount', '--', 'chroot', `${directory}/machine/root`];
  const { all, exitCode } = await execa('nsenter', [...entered, 'bash', '-c', script], {
    all: true,
    reject: false,
    timeout: 120_000,
  });
  return { text: all, exitCode };
}

/** Stands for a Docker Engine with these containers of jobs. */
async function answerAsDocker(containers: string): Promise<void> {
  await on(`printf '#!/bin/sh\\necho ${containers}\\n' >/usr/local/bin/docker; chmod 755 /usr/local/bin/docker`);
}

it('an installation makes the host ready, and ends with what doctor says is left to do', async () => {
  const { text, exitCode } = await on(`dpkg -i /mnt/${file}`);
  expect([exitCode, text]).toEqual([0, expect.stringContaining('What doctor says of this host:')]);
  expect(text).toMatch(/^ok +program .* files in .* are root's alone$/m);
  expect(text).toMatch(/^ok +sudo-rule /m);
  expect(text).toMatch(/^fail +engine .*ENGINE_UNREACHABLE/m);
  expect((await on('hpc-submit-dockerjob --version; hpc_submit_dockerjob --version')).text).toBe('0.1.0\n0.1.0');
  // Listed also where a machine is told to leave manual pages out.
  expect((await on('dpkg -L hpc-submit-dockerjob | grep -c "^/usr/share/man/man[158]/hpc-"')).text).toBe('3');
  expect(
    (await on('dpkg -S /usr/bin/hpc-submit-dockerjob && ls -A /usr/local/bin /usr/local/share/man')).text,
  ).not.toMatch(/^\/?hpc[-_]\w+dockerjob$/m);
  expect((await on('sudo -n -u nobody sudo -n -l')).text).toContain(`${opt}/bin/hpc-dockerjob-helper`);
  expect((await on('hpc-submit-dockerjob config check /etc/hpc-submit-dockerjob/site.yaml')).exitCode).toBe(0);
});

it('an update keeps the policy, the records and the runtime that containers use', async () => {
  await on(
    'echo "# ours" >>/etc/hpc-submit-dockerjob/site.yaml; mkdir -p /var/lib/hpc-submit-dockerjob/records; touch /var/lib/hpc-submit-dockerjob/records/c1.jsonl',
  );
  const before = await on(`readlink ${opt}/lib/node_modules/hpc-submit-dockerjob/runtime`);
  expect((await on(`dpkg -i /mnt/${file}`)).exitCode).toBe(0);
  expect(await on(`readlink ${opt}/lib/node_modules/hpc-submit-dockerjob/runtime`)).toEqual(before);
  expect((await on('tail -1 /etc/hpc-submit-dockerjob/site.yaml; ls /var/lib/hpc-submit-dockerjob/records')).text).toBe(
    '# ours\nc1.jsonl',
  );
});

it('a removal is refused while containers of jobs run, and then leaves the policy and the records alone', async () => {
  await answerAsDocker('c1');
  const refused = await on('dpkg -r hpc-submit-dockerjob');
  expect([refused.exitCode, refused.text]).toEqual([
    1,
    expect.stringContaining('containers of jobs are running on this host'),
  ]);
  expect((await on('hpc-submit-dockerjob --version')).exitCode).toBe(0);
  await answerAsDocker('');
  expect((await on('dpkg -r hpc-submit-dockerjob')).exitCode).toBe(0);
  const left =
    "find /etc /opt /usr /var/lib/hpc-submit-dockerjob -xdev \\( -name '*hpc[-_]*dockerjob*' -o -path '*hpc-submit-dockerjob/*' \\) 2>/dev/null | sort";
  expect((await on(left)).text.split('\n')).toEqual([
    '/etc/hpc-submit-dockerjob',
    '/etc/hpc-submit-dockerjob/site.yaml',
    '/etc/logrotate.d/hpc-submit-dockerjob',
    '/var/lib/hpc-submit-dockerjob',
    '/var/lib/hpc-submit-dockerjob/records',
    '/var/lib/hpc-submit-dockerjob/records/c1.jsonl',
  ]);
  expect((await on('dpkg -P hpc-submit-dockerjob')).exitCode).toBe(0);
  expect((await on(left)).text).toBe('');
});
