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
ln -s ../mem fabric2; mknod -m 0666 memory c 1 1`;
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
