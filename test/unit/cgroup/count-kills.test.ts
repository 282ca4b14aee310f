import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countKills, provesKill } from '../../../src/cgroup/count-kills.ts';
import { watchJobMemory } from '../../../src/helper/job/job-memory.ts';
import { CallerDied } from '../../../src/helper/job/caller-died.ts';
import { JobError } from '../../../src/values/errors.ts';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'count-kills-'))));
afterEach(() => rmSync(root, { recursive: true }));
const put = (file: string, text: string): void => {
  mkdirSync(join(root, file, '..'), { recursive: true });
  writeFileSync(join(root, file), text);
};
const container = 'ab'.repeat(32);
const count = async (path: string) => await countKills(path, { root, vmstat: join(root, 'vmstat') });

describe('what the kernel counts of killed processes', () => {
  it('is, on cgroup v1, summed over the steps of the job, and not over its containers', async () => {
    put('memory/slurm/job_7/memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\noom_kill 0\n');
    put('memory/slurm/job_7/memory.failcnt', '833\n');
    put('memory/slurm/job_7/step_0/task_0/memory.oom_control', 'under_oom 0\noom_kill 1\n');
    put('memory/slurm/job_7/step_batch/memory.oom_control', 'under_oom 0\noom_kill 2\n');
    put(`memory/slurm/job_7/${container}/memory.oom_control`, 'under_oom 0\noom_kill 40\n');
    put('vmstat', 'nr_free_pages 1\noom_kill 57\nfoo 2\n');
    expect(await count('/slurm/job_7')).toEqual({ ownKills: 3, failures: 833, hostKills: 57 });
  });

  it('is the same on cgroup v2, where the job also keeps what its removed steps had', async () => {
    put('cgroup.controllers', 'memory\n');
    put('system.slice/job_7/memory.events', 'max 4\noom 1\noom_kill 6\n');
    put('system.slice/job_7/memory.events.local', 'max 4\noom 1\noom_kill 0\n');
    put('system.slice/job_7/step_0/user/memory.events.local', 'oom_kill 1\n');
    put(`system.slice/job_7/docker-${container}.scope/memory.events.local`, 'oom_kill 5\n');
    expect(await count('/system.slice/job_7')).toEqual({ ownKills: 1, failures: 6, hostKills: 0 });
  });

  it('is nothing where there is no such cgroup', async () => {
    expect(await count('/slurm/job_7')).toEqual({ ownKills: 0, failures: 0, hostKills: 0 });
  });
});

describe('a kill of the job', () => {
  const before = { ownKills: 1, failures: 10, hostKills: 5 };
  it.each([
    ['nothing new', {}, false],
    ['one of our own', { ownKills: 2 }, true],
    ['a limit that was met, as a page cache does', { failures: 900 }, false],
    ['a kill in another job', { hostKills: 6 }, false],
    [
      'a step that is gone: the limit was met, and the host has killed',
      { ownKills: 0, failures: 11, hostKills: 6 },
      true,
    ],
  ])('%s: %j', (_, changed, expected) => expect(provesKill(before, { ...before, ...changed })).toBe(expected));
});

describe('the memory of a job', () => {
  const job = '/slurm/uid_2001/job_7';
  const watch = async (path = job) => {
    put('own', '4:memory:/x\n');
    put('vmstat', 'oom_kill 3\n');
    const authorities = { findJobCgroup: () => (path === '' ? undefined : { path, schedulerJobId: '7' }) };
    return await watchJobMemory(authorities, { root, vmstat: join(root, 'vmstat'), ownCgroup: join(root, 'own') });
  };
  const kill = (): void => {
    put(`memory${job}/step_0/memory.oom_control`, 'oom_kill 1\n');
    put(`memory${job}/memory.limit_in_bytes`, '125829120\n');
  };
  const lost = new JobError({ code: 'NODE_LOST', message: 'its helper has died.' });

  it('explains what a kill brings about', async () => {
    const memory = await watch();
    kill();
    expect(await memory.explain(lost)).toMatchObject({
      code: 'OUT_OF_MEMORY',
      exitStatus: 65,
      message: expect.stringMatching(
        /^memory ran out on host \S+ \(the job has 120 MiB there\), and the kernel killed a process of the job: its helper has died\.$/,
      ) as string,
      hint: expect.stringContaining('--mem') as string,
    });
    expect(await memory.explain(new CallerDied())).toMatchObject({ code: 'OUT_OF_MEMORY' });
  });

  it.each(['TERMINATED', 'IMAGE_UNUSABLE', 'DISK_LIMIT', 'TIME_LIMIT'] as const)('leaves %s as it is', async (code) => {
    const memory = await watch();
    kill();
    const error = new JobError({ code, message: 'no.' });
    expect(await memory.explain(error)).toBe(error);
  });

  it('leaves all as it is where no process was killed since, or the job has no cgroup', async () => {
    kill();
    expect(await (await watch()).explain(lost)).toBe(lost);
    const outside = await watch('');
    put(`memory${job}/step_0/memory.oom_control`, 'oom_kill 2\n');
    expect(await outside.explain(lost)).toBe(lost);
  });
});
