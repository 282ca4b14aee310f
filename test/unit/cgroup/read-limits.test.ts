import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countCpus, readLimits } from '../../../src/cgroup/read-limits.ts';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'read-limits-'))));
afterEach(() => rmSync(root, { recursive: true }));
const put = (file: string, text: string): void => {
  mkdirSync(join(root, file, '..'), { recursive: true });
  writeFileSync(join(root, file), text);
};

describe('the limits of a cgroup', () => {
  const job = '/slurm/uid_2001/job_7';

  it('are those of its controllers on cgroup v1', async () => {
    put(`memory${job}/memory.limit_in_bytes`, '734003200\n');
    put('memory/slurm/memory.limit_in_bytes', '9223372036854771712\n');
    put(`cpuset${job}/cpuset.cpus`, '0-1,4\n');
    expect(await readLimits(job, root, 8)).toEqual({ memoryBytes: 734_003_200, cpuset: '0-1,4' });
  });

  it('are the least of the cgroup and those above on cgroup v2', async () => {
    put('cgroup.controllers', 'cpuset memory\n');
    put('a.slice/memory.max', '1000\n');
    put('a.slice/s.scope/memory.max', 'max\n');
    put('a.slice/s.scope/job_7/memory.max', '2000\n');
    put('a.slice/s.scope/job_7/cpuset.cpus.effective', '3\n');
    expect(await readLimits('/a.slice/s.scope/job_7', root, 8)).toEqual({ memoryBytes: 1000, cpuset: '3' });
  });

  it('are none where the kernel says so, or nothing can be read', async () => {
    put(`memory${job}/memory.limit_in_bytes`, '9223372036854771712\n');
    put(`cpuset${job}/cpuset.cpus`, '0-7\n');
    expect(await readLimits(job, root, 8)).toEqual({});
    expect(await readLimits('/nowhere', root, 8)).toEqual({});
    expect(await readLimits(job, join(root, 'nowhere'), 8)).toEqual({});
  });
});

it.each([
  ['0', 1],
  ['0-3', 4],
  ['0-1,4,6-7', 5],
  ['', undefined],
  ['x', undefined],
  ['0-', undefined],
  ['0,', undefined],
])('%j has %s processors', (list, count) => {
  expect(countCpus(list)).toBe(count);
});
