import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeMemoryTrouble, findAccountIn } from '../../../src/cgroup/watch-memory.ts';

let root: string;
const put = (directory: string, files: Readonly<Record<string, string>>): void => {
  mkdirSync(join(root, directory), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, directory, name), text);
};

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'watch-memory-'));
  put('memory/job_7/docker', {
    'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n',
    'memory.stat': 'cache 0\nhierarchical_memory_limit 1572864000\n',
    'memory.max_usage_in_bytes': '1400000000\n',
  });
  put('memory/job_8/docker', { 'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 0\n' });
  put('memory/job_9/docker', {
    'memory.oom_control': 'oom_kill 1\n',
    'memory.stat': 'hierarchical_memory_limit 9223372036854771712\n',
  });
  put('unified/slice', { 'memory.max': '2147483648\n' });
  put('unified/slice/job.scope', {
    'memory.events': 'low 0\nhigh 0\nmax 4\noom 1\noom_kill 1\noom_group_kill 0\n',
    'memory.max': 'max\n',
    'memory.peak': '2147000000\n',
  });
});
afterAll(() => rmSync(root, { recursive: true }));

describe('what the kernel counts of memory', () => {
  it.each([
    [
      '5:cpu,cpuacct:/x\n4:memory:/job_7/docker\n0::/\n',
      { killedCount: 2, limitBytes: 1_572_864_000, peakBytes: 1_400_000_000 },
    ],
    ['4:memory:/job_8/docker\n', undefined],
    ['4:memory:/job_9/docker\n', { killedCount: 1, limitBytes: undefined, peakBytes: undefined }],
    ['0::/slice/job.scope\n', { killedCount: 1, limitBytes: 2 ** 31, peakBytes: 2_147_000_000 }],
    ['0::/gone\n', undefined],
  ])('of %j', async (text, expected) => {
    expect(await (await findAccountIn(text, root))?.readTrouble()).toEqual(expected);
  });

  it('is nothing of a process that has none', async () => {
    expect(await findAccountIn('', root)).toBeUndefined();
  });

  it('is told with limit and peak', () => {
    expect(
      describeMemoryTrouble('n1', { killedCount: 1, limitBytes: 1500 * 2 ** 20, peakBytes: 1378 * 2 ** 20 }),
    ).toContain(
      "memory ran out on host n1: the kernel killed a process of the command (the job's limit there is 1500 MiB, its container used 1378 MiB at most)",
    );
  });
});
