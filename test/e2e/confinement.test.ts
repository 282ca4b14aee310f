/** What a job's container may do and use: system calls, core files, the disk of the Docker Engine, shared memory. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { changeSite } from '../support/e2e-site.ts';
import { e2eLab, runBatch } from '../support/e2e-lab.ts';
import { findLastingLeftovers, inMpi } from '../support/e2e-jobs.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await e2eLab();
});

afterAll(async () => {
  await mustRun(lab, 'node1', ['sh', '-c', `docker image rm ${openImage} 2>/dev/null; :`]);
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

/** An image with a directory that everybody may write to, on the disk of the Docker Engine. */
const openImage = 'lab/open:1';
const openRecipe = 'FROM lab/mpi:1\nRUN mkdir -p /opt/work && chmod 1777 /opt/work\n';

const quiet = inMpi.replace('--image', '--quiet --image');
const onOneHost = ['-N1', '-n2', '--mem=900M'];

describe('a job', () => {
  it('binds its ranks and their memory without a word of warning', async () => {
    const job = await runBatch(lab, `${quiet} mpirun --bind-to core hostname`, { sbatch: onOneHost });
    expect([job.exitCode, job.stderr]).toEqual(['0:0', '']);
    expect(job.stdout.split('\n')).toEqual([`${job.id}-node-0`, `${job.id}-node-0`]);
  });

  it('gets a core file in its directory when it asks for one, and none otherwise', async () => {
    const crash = 'sh -c "kill -SEGV \\$\\$"; ls | grep -c ^core';
    const script = `${quiet} sh -c '${crash}'; ${quiet} sh -c 'ulimit -c unlimited; ${crash}'`;
    const job = await runBatch(lab, script, { sbatch: onOneHost });
    expect(job.stdout.split('\n').filter((line) => /^\d+$/.test(line))).toEqual(['0', '1']);
  });
});

describe('the disk of the Docker Engine', () => {
  const atOpt = `hpc-submit-dockerjob --quiet --image ${openImage} --`;
  const onNode1 = ['-N1', '-n1', '--mem=400M', '--nodelist=node1'];

  beforeAll(async () => {
    const build = ['docker', 'build', '--quiet', '--network=none', '--tag', openImage, '-'];
    await mustRun(lab, 'node1', ['env', 'DOCKER_BUILDKIT=0', ...build], openRecipe);
  });

  it('is not where /var/tmp and /run/lock are: these are memory of the job', async () => {
    const script = `${quiet} sh -c 'for each in /var/tmp /run/lock; do findmnt -no FSTYPE $each; done; dd if=/dev/zero of=/var/tmp/big bs=1M count=900; :'`;
    const job = await runBatch(lab, script, { sbatch: onNode1 });
    expect(job.stdout.split('\n').slice(0, 2)).toEqual(['tmpfs', 'tmpfs']);
    expect([job.exitCode, job.stderr]).toEqual(['65:0', expect.stringContaining('[OUT_OF_MEMORY]') as string]);
  });

  it('takes what an ordinary program writes into its image, and ends a job that fills it', async () => {
    await using _site = await changeSite(
      lab,
      { container: { writableLayer: { bytes: 64 * 1024 ** 2, inodes: 2000 } } },
      ['node1'],
    );
    const writes = {
      little: 'dd if=/dev/zero of=/opt/work/a bs=1M count=40',
      bytes: 'trap "" TERM; dd if=/dev/zero of=/opt/work/a bs=1M count=300; sleep 60',
      files: 'perl -e "for (1..9000) { open F, q(>), qq(/opt/work/f\\$_) } sleep 60"',
      hidden: 'exec 3>/opt/work/h; rm /opt/work/h; dd if=/dev/zero bs=1M count=300 >&3; sleep 60',
    };
    const calls = Object.entries(writes).map(([name, command]) => `${atOpt} sh -c '${command}'; echo ${name} $?`);
    const job = await runBatch(lab, calls.join('\n'), { sbatch: onNode1 });
    expect(job.stdout.trim().split('\n')).toEqual(['little 0', 'bytes 65', 'files 65', 'hidden 65']);
    expect(job.stderr.match(/\[DISK_LIMIT\]/g)).toHaveLength(3);
    expect(job.stderr).toContain('this site allows 64 MiB and 2000 of them');
  });

  it('is watched, and given back, also where a process of the user on the host has the file open', async () => {
    await using _site = await changeSite(lab, { container: { writableLayer: { bytes: 64 * 1024 ** 2 } } }, ['node1']);
    const script = [
      `( ${atOpt} sh -c 'touch /opt/work/f; sleep 7; rm /opt/work/f; sleep 61'; echo ended $? ) &`,
      'until pid=$(pgrep -nxf "sleep 7") && [ -e /proc/$pid/root/opt/work/f ]; do sleep 0.2; done',
      `( exec 9>>/proc/$pid/root/opt/work/f; sleep 8; dd if=/dev/zero bs=1M count=300 status=none >&9; sleep 120 ) & holder=$!`,
      'wait %1; sleep 1; kill -0 $holder 2>/dev/null || echo given back',
    ].join('\n');
    const job = await runBatch(lab, script, { sbatch: onNode1 });
    expect(job.stdout.trim().split('\n')).toEqual(['ended 65', 'given back']);
    expect(job.stderr).toContain('[DISK_LIMIT]');
  });

  it('is out of reach where the site makes images read-only', async () => {
    await using _site = await changeSite(lab, { container: { readOnlyRoot: true } }, ['node1']);
    const script = `${atOpt} sh -c 'echo x >/var/tmp/x; echo x >/run/lock/x; echo x >/opt/work/x'`;
    const job = await runBatch(lab, script, { sbatch: onNode1 });
    expect(job.stderr).toContain('cannot create /opt/work/x: Read-only file system');
    expect(job.stderr).not.toContain('/var/tmp/x');
  });
});

describe('shared memory', () => {
  const withShm = (size: string, command: string): string =>
    `hpc-submit-dockerjob --quiet --image lab/mpi:1 --shm-size ${size} -- sh -c '${command}'; echo status $?`;

  it('has the size that is asked for, on every host, up to the bound of the site', async () => {
    const sizes = 'df -B1 --output=size /dev/shm | tail -1; ssh node-1 "df -B1 --output=size /dev/shm" | tail -1';
    const script = `${withShm('48m', sizes)}\nexport SHM_SIZE=2g\n${quiet} df -h --output=size /dev/shm\n${withShm('1t', 'true')}`;
    const job = await runBatch(lab, script, { sbatch: ['-N2', '-n2', '--mem=600M'] });
    const bytes = String(48 * 1024 ** 2);
    expect(job.stdout.split('\n').map((line) => line.trim())).toEqual(
      expect.arrayContaining([bytes, bytes, 'status 0', '2.0G', 'status 77']) as string[],
    );
    expect(job.stderr).toMatch(/A \/dev\/shm of 1 TiB was asked for; this site allows 16 GiB\..*\[SHM_NOT_ALLOWED\]/);
  });

  it('is named when it is full and the command ends by a bus error', async () => {
    const fill = 'dd if=/dev/zero of=/dev/shm/a bs=1M 2>/dev/null; kill -BUS $$';
    const job = await runBatch(lab, `${withShm('16m', fill)}\n${withShm('16m', 'kill -BUS $$')}`, {
      sbatch: onOneHost,
    });
    expect(job.stdout.trim()).toBe('status 135\nstatus 135');
    expect(job.stderr.match(/\/dev\/shm was full: it has 16 MiB\. Ask for more with --shm-size/g)).toHaveLength(1);
  });
});
