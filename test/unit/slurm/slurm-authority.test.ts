import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findJobCgroup } from '../../../src/slurm/find-job-cgroup.ts';
import { parseTimeLeft } from '../../../src/slurm/parse-time-left.ts';
import { readSuspendedSeconds } from '../../../src/slurm/read-suspended-seconds.ts';
import { slurmAuthority } from '../../../src/slurm/slurm-authority.ts';

/** Stands for squeue: prints what a real one printed (Slurm 22.05). */
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slurm-authority-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function confirmWith(script: string, id = '12', uid?: number) {
  await writeFile(join(directory, 'squeue'), `#!/bin/sh\n${script}\n`);
  await chmod(join(directory, 'squeue'), 0o755);
  return slurmAuthority({ commandPath: directory }).confirmJob(id, uid);
}

const printing = (...lines: string[]): string => `cat <<'END'\n${lines.join('\n')}\nEND`;

async function askOver(script: string, id = '12') {
  await writeFile(join(directory, 'squeue'), `#!/bin/sh\n${script}\n`);
  await chmod(join(directory, 'squeue'), 0o755);
  return slurmAuthority({ commandPath: directory }).isOver(id);
}

describe('isOver', () => {
  it.each(['COMPLETED', 'CANCELLED', 'TIMEOUT', 'NODE_FAIL', 'PENDING', 'REQUEUED'])(
    'is true when %s',
    async (state) => {
      expect(await askOver(printing(`2001|12|12|N/A|${state}|n1|2100|lab`))).toBe(true);
    },
  );

  it.each(['RUNNING', 'SUSPENDED', 'COMPLETING', 'CONFIGURING', 'STOPPED', 'SIGNALING'])(
    'is false while %s',
    async (state) => {
      expect(await askOver(printing(`2001|12|12|N/A|${state}|n1|2100|lab`))).toBe(false);
    },
  );

  it.each([
    ['slurmctld does not know it any more', "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"],
    ['only other elements of its array are known', printing('5|13|12|5|RUNNING|n1|2100|lab')],
    ['the answer is empty', 'true'],
  ])('is true when %s', async (_, script) => {
    expect(await askOver(script)).toBe(true);
  });

  it.each([
    ['slurmctld is away', 'echo "Unable to contact slurm controller" >&2; exit 1'],
    ['the answer cannot be read', 'echo "12 RUNNING"'],
  ])('is not known when %s', async (_, script) => {
    await expect(askOver(script)).rejects.toMatchObject({ code: 'SCHEDULER_UNREACHABLE' });
  });
});

describe('confirmJob', () => {
  it.each([
    [
      '2001|12|12|N/A|RUNNING|n[1-3]|2100|lab',
      { job: '12', schedulerJobId: '12', uid: 2001, gid: 2100, queue: 'lab', hosts: ['n1', 'n2', 'n3'] },
    ],
    [
      '2001|12|12|N/A|RUNNING|n1|2100|lab',
      { job: '12', schedulerJobId: '12', uid: 2001, gid: 2100, queue: 'lab', hosts: ['n1'] },
    ],
    [
      '2001|12|10|3|RUNNING|n1|2100|lab',
      { job: '10_3', schedulerJobId: '12', uid: 2001, gid: 2100, queue: 'lab', hosts: ['n1'] },
    ],
    [
      '2001|12|12|N/A|SUSPENDED|n1|2100|lab',
      { job: '12', schedulerJobId: '12', uid: 2001, gid: 2100, queue: 'lab', hosts: ['n1'] },
    ],
  ])('reads %s', async (line, job) => {
    expect(await confirmWith(printing(line))).toEqual(job);
  });

  it('picks the job itself out of the elements of its array', async () => {
    const lines = ['0|16|16|7-8%2|PENDING||2100|lab', '5|12|16|5|RUNNING|n1|2100|lab', '6|19|16|6|RUNNING|n2|2100|lab'];
    expect(await confirmWith(printing(...lines))).toMatchObject({ job: '16_5', uid: 5 });
  });

  it('says of a job of the caller that is COMPLETING that it is being ended, and nothing of another user’s', async () => {
    const script = printing('2001|12|12|N/A|COMPLETING|n1|2100|lab');
    await expect(confirmWith(script)).rejects.toMatchObject({ code: 'TERMINATED' });
    await expect(confirmWith(script, '12', 2002)).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
  });

  it.each(['PENDING', 'CONFIGURING', 'COMPLETED', 'CANCELLED', 'TIMEOUT', 'NODE_FAIL', ''])(
    'refuses a job that is %s',
    async (state) => {
      await expect(confirmWith(printing(`2001|12|12|N/A|${state}|n1|2100|lab`))).rejects.toMatchObject({
        code: 'JOB_NOT_YOURS',
      });
    },
  );

  it.each([
    ['nothing', ''],
    ['another job', printing('2001|13|13|N/A|RUNNING|n1|2100|lab')],
    ['an unknown id', 'echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1'],
  ])('knows no job when squeue answers %s', async (_, script) => {
    await expect(confirmWith(script)).rejects.toMatchObject({
      code: 'JOB_NOT_YOURS',
      message: expect.stringContaining('knows no such job') as string,
    });
  });

  it.each(['', '12_3', '12,13', '-a', '0', '12\n13', '1'.repeat(30)])('does not ask for the id %j', async (id) => {
    await expect(confirmWith('exit 9', id)).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
  });

  it.each([
    [
      'slurmctld is away',
      'echo "slurm_load_jobs error: Unable to contact slurm controller (connect failure)" >&2; exit 1',
      'Unable to contact',
    ],
    ['squeue is killed', 'kill -9 $$', 'SIGKILL'],
    ['the line cannot be read', printing('root|12|12|N/A|RUNNING|n1|2100|lab'), 'cannot be read'],
    ['the group cannot be read', printing('2001|12|12|N/A|RUNNING|n1|x|lab'), 'cannot be read'],
    ['the line is too long', printing('2001|12|12|N/A|RUNNING|n1|2100|lab|x'), 'cannot be read'],
  ])('says that Slurm cannot be asked when %s', async (_, script, message) => {
    await expect(confirmWith(script)).rejects.toMatchObject({
      code: 'SCHEDULER_UNREACHABLE',
      message: expect.stringContaining(message) as string,
    });
  });

  it('asks with nothing of the caller’s environment, by an argument vector', async () => {
    process.env['SLURM_CONF'] = '/tmp/forged.conf';
    const script = '{ env; printf "%s\\n" "$@"; } > "$0.seen"; echo "5|12|12|N/A|RUNNING|n1|2100|lab"';
    await confirmWith(script);
    delete process.env['SLURM_CONF'];
    const seen = await readFile(join(directory, 'squeue.seen'), 'utf8');
    expect(seen).not.toContain('forged');
    expect(seen).toContain('--jobs=12\n--format=%U|%A|%F|%K|%T|%N|%G|%P\n');
  });
});

describe('readSuspendedSeconds', () => {
  const startedAgo = (seconds: number): number => Math.floor(Date.now() / 1000) - seconds;
  const readWith = async (script: string): Promise<number> => {
    const squeue = join(directory, 'squeue');
    await writeFile(squeue, `#!/bin/sh\n${script}\n`);
    await chmod(squeue, 0o755);
    return await readSuspendedSeconds(squeue, '12');
  };

  it.each([
    [1000, '16:40', 0],
    [1000, '10:00', 400],
    [90_000, '1-00:00:00', 3600],
    [10, '0:12', 0], // squeue looks a moment later
  ])('of a job that started %i s ago and has used %s is %i s', async (ago, used, suspended) => {
    const seconds = await readWith(printing(`11|${startedAgo(5)}|0:01`, `12|${startedAgo(ago)}|${used}`));
    expect(seconds).toBeGreaterThanOrEqual(suspended);
    expect(seconds).toBeLessThan(suspended + 3);
  });

  it.each([
    ['another job', printing('13|1|0:01')],
    ['an unknown job', 'echo "Invalid job id specified" >&2; exit 1'],
  ])('is 0 when squeue tells %s', async (_, script) => {
    expect(await readWith(script)).toBe(0);
  });

  it('asks for times as seconds, whatever the caller’s environment says', async () => {
    const script = `[ "$SLURM_TIME_FORMAT" = %s ] && echo "12|${startedAgo(5)}|0:05"`;
    process.env['SLURM_TIME_FORMAT'] = 'relative';
    expect(await readWith(script).finally(() => delete process.env['SLURM_TIME_FORMAT'])).toBeLessThan(2);
  });

  it.each([
    [
      'that it cannot reach slurmctld',
      'echo "Unable to contact slurm controller" >&2; exit 1',
      'SCHEDULER_UNREACHABLE',
    ],
    ['a start that is no number', printing('12|2026-01-01T00:00:00|0:01'), 'SCHEDULER_UNREACHABLE'],
    ['a start to come', printing('12|N/A|0:00'), 'SCHEDULER_UNREACHABLE'],
    ['a time that is none', printing('12|100|x'), 'SCHEDULER_UNREACHABLE'],
    ['a time below 0', printing('12|100|INVALID'), 'SCHEDULER_UNREACHABLE'],
  ])('is not known when squeue tells %s', async (_, script, code) => {
    await expect(readWith(script)).rejects.toMatchObject({ code });
  });
});

describe('parseTimeLeft', () => {
  it.each([
    ['0:00', 0],
    ['4:59', 299],
    ['1:00:00', 3600],
    ['365-00:00:00', 31_536_000],
    ['INVALID', 0],
    ['UNLIMITED', undefined],
    ['NOT_SET', undefined],
    ['-1:00', undefined],
    ['', undefined],
  ])('reads %j', (text, seconds) => {
    expect(parseTimeLeft(text)).toBe(seconds);
  });
});

describe('nameCgroup', () => {
  const cgroup = {
    schedulerJobId: undefined,
    sluid: 'sEKNKTV3WPV500',
    path: '/system.slice/slurmstepd.scope/sEKNKTV3WPV500',
  };
  const nameWith = async (script: string, id = '12') => {
    await writeFile(join(directory, 'squeue'), `#!/bin/sh\n${script}\n`);
    await chmod(join(directory, 'squeue'), 0o755);
    return await slurmAuthority({ commandPath: directory }).nameCgroup?.(cgroup, id);
  };
  const told = (...jobs: readonly unknown[]): string => printing(JSON.stringify({ jobs, meta: {} }));

  it('gives the id of the job that has this SLUID by the word of Slurm, which is asked for this job alone', async () => {
    const script = told({ job_id: 11, sluid: 'x' }, { job_id: 12, sluid: 'sEKNKTV3WPV500', name: '"sluid":"x"' });
    expect(await nameWith(`echo "$@" > "$0.seen"\n${script}`)).toEqual({ ...cgroup, schedulerJobId: '12' });
    expect(await readFile(join(directory, 'squeue.seen'), 'utf8')).toBe('--json --states=all --jobs=12\n');
  });

  it.each([
    ['the job has another SLUID', told({ job_id: 12, sluid: 'sEKNKTV3WPV501' }, { job_id: 13, sluid: cgroup.sluid })],
    ['another job is told', told({ job_id: 13, sluid: cgroup.sluid })],
    ['the job is not known', 'echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1'],
  ])('gives none when %s', async (_, script) => {
    expect(await nameWith(script)).toBeUndefined();
  });

  it('asks for nothing that is no id', async () => {
    expect(await nameWith('exit 9', '12,13')).toBeUndefined();
  });

  it.each([
    ['tells no SLUID', told({ job_id: 12 }), 'JOB_NOT_YOURS', 'CgroupJobIdPaths=yes'],
    ['tells two of one job', told({ job_id: 12, sluid: cgroup.sluid }, { job_id: 12 }), 'SCHEDULER_UNREACHABLE', ''],
    ['knows no --json', 'echo "squeue: unrecognized option" >&2; exit 1', 'SCHEDULER_UNREACHABLE', ''],
    ['tells no JSON', 'echo x', 'SCHEDULER_UNREACHABLE', ''],
    ['is away', 'exit 1', 'SCHEDULER_UNREACHABLE', ''],
  ])('proves nothing when squeue %s', async (_, script, code, hint) => {
    await expect(nameWith(script)).rejects.toMatchObject({ code, hint: expect.stringContaining(hint) as string });
  });
});

describe('findJobCgroup', () => {
  const v1 = (path: string): string =>
    [
      '12:pids:/',
      `11:freezer:${path}/step_0`,
      `9:cpuset:${path}/step_0/task_0`,
      '8:cpu,cpuacct:/',
      `3:memory:${path}`,
      '1:name=systemd:/init.scope',
      '0::/',
      '',
    ].join('\n');

  it.each(['/slurm/uid_2001/job_12', '/slurm_node-1.example/uid_2001/job_12'])('finds %s', (path) => {
    expect(findJobCgroup(v1(path))).toEqual({ schedulerJobId: '12', uid: 2001, path });
  });

  const aContainer = 'c0ffee00'.repeat(8);

  it.each([
    '/system.slice/slurmstepd.scope/job_12',
    '/system.slice/n1_slurmstepd.scope/job_12',
    '/system.slice/n-1.x_slurmstepd.scope/job_12',
    // CgroupSlice of cgroup.conf
    '/slurm.slice/slurmstepd.scope/job_12',
    '/hpc.slice/hpc-jobs.slice/hpc-jobs-a.slice/n1_slurmstepd.scope/job_12',
    '/system.slice/system-slurm\\x2dd.slice/slurmstepd.scope/job_12',
    // slurmd in a container
    `/system.slice/docker-${aContainer}.scope/system.slice/slurmstepd.scope/job_12`,
    `/docker/${aContainer}/system.slice/slurmstepd.scope/job_12`,
    `/machine.slice/libpod-${aContainer}.scope/hpc.slice/slurmstepd.scope/job_12`,
    `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1a_2b.slice/cri-containerd-${aContainer}.scope/system.slice/n1_slurmstepd.scope/job_12`,
  ])('finds %s of cgroup v2', (path) => {
    for (const below of ['', '/step_batch/user/task_0', '/step_0/user/task_0/system.slice/slurmstepd.scope/job_13'])
      expect(findJobCgroup(`0::${path}${below}\n`)).toEqual({ schedulerJobId: '12', path });
  });

  it('finds the SLUID of Slurm 26.05, which is no id', () => {
    const path = '/system.slice/slurmstepd.scope/sEKNKTV3WPV500';
    expect(findJobCgroup(`0::${path}/step_0/user/task_0\n`)).toEqual({
      schedulerJobId: undefined,
      sluid: 'sEKNKTV3WPV500',
      path,
    });
  });

  // What a user can make: systemd's session of a user, rootless engines, a service that was given to them, their own task.
  it.each([
    '/user.slice/user-2001.slice/user@2001.service/system.slice/slurmstepd.scope/job_5/step_0',
    '/user.slice/user-2001.slice/user@2001.service/app.slice/slurmstepd.scope/job_5',
    '/user.slice/user-2001.slice/slurmstepd.scope/job_5',
    '/user.slice/slurmstepd.scope/job_5',
    `/user.slice/user-2001.slice/user@2001.service/user.slice/libpod-${aContainer}.scope/system.slice/slurmstepd.scope/job_5`,
    '/user.slice/user-2001.slice/user@2001.service/slurmstepd.scope/sEKNKTV3WPV500/step_0',
    `/system.slice/docker-${aContainer}.scope/user.slice/user-1.slice/slurmstepd.scope/job_5`,
    '/system.slice/theirs.service/system.slice/slurmstepd.scope/job_5',
    '/system.slice/theirs.service/slurmstepd.scope/job_5',
    '/system.slice/run-1.scope/system.slice/slurmstepd.scope/job_5',
    `/system.slice/docker-${aContainer}.scope/slurmstepd.scope/job_5`,
    `/system.slice/docker-${aContainer.slice(1)}.scope/system.slice/slurmstepd.scope/job_5`,
    `/${aContainer}/system.slice/slurmstepd.scope/job_5`,
    '/docker/x/system.slice/slurmstepd.scope/job_5',
    '/user/alice/0/system.slice/slurmstepd.scope/job_5',
    '/system.slice/alice.slice/slurmstepd.scope/job_5',
    '/alice/slurmstepd.scope/job_5',
    '/slurmstepd.scope/job_5',
    '/system.slice/slurmstepd.scope/x/job_5',
    '/system.slice/slurmstepd.scope/system.slice/slurmstepd.scope/job_5',
    '/system.slice/slurmstepd.scopes/job_5',
    '/system.slice/xslurmstepd.scope/job_5',
    '/system.slice/slurmstepd.scope/job_05',
    '/system.slice/slurmstepd.scope/sEKNKTV3WPV50',
    '/system.slice/slurmstepd.scope/sEKNKTV3WPV500x',
    '/system.slice/slurmstepd.scope/system',
    '/system.slice/slurmstepd.scope',
    '/system.slice//slurmstepd.scope/job_5',
    '/.slice/slurmstepd.scope/job_5',
  ])('finds none in %s, which is not only root’s to make', (path) => {
    expect(findJobCgroup(`0::${path}/step_0/user/task_0\n`)).toBeUndefined();
  });

  it.each([
    '',
    '0::/',
    '0::/user.slice/user-2001.slice/session-3.scope',
    '0::/user.slice/user-2001.slice/system.slice/slurmstepd.scope/job_12/step_0',
    '3:memory:/docker/abc/slurm/uid_0/job_12',
    '3:memory:/../slurm/uid_0/job_12',
    '3:memory:/slurm/uid_2001',
    '3:memory:/slurm/uid_2001/job_',
    '3:memory:/slurm/uid_2001/job_12x',
    '3:memory:/slurm/uid_-1/job_12',
    '3:memory:/slurm/uid_2001/job_012',
    '3:memory:/slurm/x/uid_2001/job_12',
    '3:memory:/slurmx/uid_2001/job_12',
    '1:name=systemd:/slurm/uid_2001/job_12',
    'memory:/slurm/uid_2001/job_12',
  ])('finds none in %j', (text) => {
    expect(findJobCgroup(text)).toBeUndefined();
  });

  it('finds none when controllers speak of different jobs', () => {
    expect(findJobCgroup('3:memory:/slurm/uid_2001/job_12\n4:cpuset:/slurm/uid_2001/job_13\n')).toBeUndefined();
    expect(findJobCgroup('3:memory:/slurm/uid_2001/job_12\n4:cpuset:/slurm/uid_2002/job_12\n')).toBeUndefined();
  });
});
