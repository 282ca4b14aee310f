/** Devices of the hosts in containers: those that the site gives, and no others. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { changeSite } from '../support/e2e-site.ts';
import { e2eLab, runBatch } from '../support/e2e-lab.ts';
import { findLastingLeftovers } from '../support/e2e-jobs.ts';

let lab: Lab;
let directory: string;

/** Nodes of harmless kinds: the hosts of a lab share /dev, so they stand in a directory of the lab's own. */
beforeAll(async () => {
  lab = await e2eLab();
  directory = `/dev/hpcdj-${lab.layout.shape.name}`;
  const make = `mkdir -p "$1"; cd "$1"
mknod -m 0666 fabric0 c 10 200; mknod -m 0666 fabric1 c 1 5; mknod -m 0600 closed c 1 5; mknod -m 0666 disk b 7 99
ln -s ../mem fabric2; mknod -m 0666 memory c 1 1; mknod -m 0666 gpu0 c 1 5; mknod -m 0666 gpu1 c 1 7; mknod -m 0666 gpuctl c 1 3`;
  await mustRun(lab, 'node1', ['sh', '-ec', make, 'make', directory]);
});

afterAll(async () => {
  await mustRun(lab, 'node1', ['rm', '-rf', '--', directory]);
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

const inTiny = (options: string, command: string): string =>
  `hpc-submit-dockerjob --quiet --image lab/mpi:1 ${options} -- sh -c '${command}'; echo "status $?"`;
const onOneHost = ['-N1', '-n1', '--mem=600M'];

describe('devices', () => {
  it('that the site gives are in every container of the job, can be opened, and are the only ones', async () => {
    await using _site = await changeSite(lab, {
      devices: {
        allowed: [
          { name: 'fabric', nodes: [`${directory}/fabric*`] },
          { name: 'closed', nodes: [`${directory}/closed`], always: true },
          { name: 'others', nodes: [`${directory}/fabric1`], users: ['bob'] },
          { name: 'absent', nodes: [`${directory}/nothing*`] },
        ],
      },
    });
    const look = `ls ${directory}; for n in ${directory}/*; do (: <>$n) 2>/dev/null && echo open $n; done; head -c 4 ${directory}/fabric1 | wc -c`;
    const script = [
      inTiny('--device fabric', `${look}; ssh node-1 ls ${directory}; mknod /tmp/mem c 1 1; : </tmp/mem`),
      inTiny('', `ls ${directory}`),
      inTiny('--device others', 'true'),
      inTiny('--device absent', 'true'),
      inTiny('--device /dev/kmsg', 'true'),
      `hpc-submit-dockerjob explain --image lab/mpi:1 --device fabric -- true`,
    ].join('\n');
    const job = await runBatch(lab, script, { sbatch: ['-N2', '-n2', '--mem=600M'] });
    const lines = job.stdout.split('\n');
    const first = lines.findIndex((line) => line.startsWith('status'));
    expect(lines.slice(0, first).map((line) => line.trim())).toEqual([
      ...['closed', 'fabric0', 'fabric1', `open ${directory}/fabric0`, `open ${directory}/fabric1`, '4'],
      ...['closed', 'fabric0', 'fabric1'],
    ]);
    expect(lines.filter((line) => line.startsWith('status'))).toEqual([
      expect.not.stringMatching(/status 0/),
      ...['status 0', 'status 77', 'status 69', 'status 64'],
    ]);
    expect(job.stderr).toMatch(
      /The devices "others" are not for the containers of this job: it is for the users bob\./,
    );
    expect(job.stderr).toMatch(/has no devices "absent": nothing matches .*\[HOST_UNFIT\]/);
    expect(job.stderr).toContain('Give the name that site.yaml has for them (devices.allowed), not a path. [USAGE]');
    expect(job.stdout).toContain(`devices of this host: ${directory}/fabric0 ${directory}/fabric1 ${directory}/closed`);
    expect(job.stdout).toContain('[site.yaml devices.allowed "fabric"]');
  });

  it('of GPUs are those that Slurm has given to the job on each host, whatever its user says', async () => {
    await using _site = await changeSite(lab, {
      devices: {
        allowed: [
          { name: 'gpu', gres: 'gpu', nodes: [`${directory}/gpu{index}`, `${directory}/gpuctl`], always: true },
        ],
      },
    });
    const seen = `${directory}/gpu*`;
    const forged = '\n     Nodes=node[1-3] CPU_IDs=0 Mem=600 GRES=gpu:2(IDX:0-1)';
    const one = async (sbatch: readonly string[], options = ''): Promise<{ stdout: string; stderr: string }> => {
      const script = `export CUDA_VISIBLE_DEVICES=0,1 SLURM_JOB_GPUS=0,1
${inTiny(options, `echo ${seen}; ssh node-1 "echo ${seen}" 2>/dev/null; true`)}`;
      return await runBatch(lab, script, { sbatch: [...sbatch, '--mem=600M', `--comment=${forged}`] });
    };
    const paths = (...names: string[]): string => names.map((name) => `${directory}/${name}`).join(' ');
    // Two jobs at once on one host: one GPU each.
    const [first, second] = await Promise.all(
      [0, 1].map(async () => await one(['-N1', '-n1', '-w', 'node1', '--gres=gpu:1'])),
    );
    expect([first, second].map((job) => job?.stdout.split('\n')[0])).toEqual(
      expect.arrayContaining([expect.stringMatching(/gpu[01] .*gpuctl$/)]) as string[],
    );
    for (const job of [first, second]) expect(job?.stdout).toMatch(/^\S+gpu[01] \S+gpuctl\nstatus 0/);
    const both = await one(['-N2', '-n2', '--gres=gpu:2']);
    expect(both.stdout.split('\n').slice(0, 2)).toEqual(Array(2).fill(paths('gpu0', 'gpu1', 'gpuctl')));
    const none = await one(['-N1', '-n1']);
    expect(none.stdout).toBe(`${seen}\nstatus 0`);
    const { stdout, stderr } = await one(['-N1', '-n1'], '--device gpu');
    expect([stdout, stderr].join('\n')).toContain(seen); // always: where there are some
  });

  it.each([
    ['disk', 'is a block device, and may never be given to a container'],
    ['memory', "(1:1) belongs to the host's system, and may never be given to a container"],
  ])('of a kind that no site may give are refused on the host, whatever they are called: %s', async (name, told) => {
    await using _site = await changeSite(lab, {
      devices: { allowed: [{ name: 'odd', nodes: [`${directory}/${name}`], always: true }] },
    });
    const job = await runBatch(lab, inTiny('', 'true'), { sbatch: onOneHost });
    expect(job.stdout.trim()).toBe('status 69');
    expect(job.stderr).toContain(told);
  });
});
