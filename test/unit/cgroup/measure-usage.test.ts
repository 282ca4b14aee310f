import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findUsageMeter, findMeterIn } from '../../../src/cgroup/measure-usage.ts';

let root: string;
const put = (files: Readonly<Record<string, string>>): void => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
};

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'measure-usage-'));
  put({
    'cpu,cpuacct/job_7/docker/cpuacct.usage': '12500000000\n',
    'memory/job_7/docker/memory.max_usage_in_bytes': '345000000\n',
    'memory/job_7/docker/memory.oom_control': 'oom_kill 0\n',
    'unified/slice/job_8/cpu.stat': 'usage_usec 2250000\nuser_usec 2000000\nsystem_usec 250000\n',
    'unified/slice/job_8/memory.peak': '128000000\n',
    'unified/slice/job_8/memory.events': 'oom_kill 0\n',
    'unified/slice/job_8/threads/cgroup.type': 'threaded\n',
    'unified/slice/job_8/threads/cpu.stat': 'usage_usec 250000\n',
    'unified/old/job_9/cpu.stat': 'usage_usec 1000000\n',
    'unified/old/job_9/memory.events': 'oom_kill 0\n',
  });
});
afterAll(() => rmSync(root, { recursive: true }));

describe('what the kernel says that a cgroup has used', () => {
  it.each([
    [
      'cgroup v1',
      '5:cpu,cpuacct:/job_7/docker\n4:memory:/job_7/docker\n1:name=systemd:/x\n',
      { cpuSeconds: 12.5, peakMemoryBytes: 345_000_000 },
    ],
    ['cgroup v2', '0::/slice/job_8\n', { cpuSeconds: 2.25, peakMemoryBytes: 128_000_000 }],
    [
      'a hybrid host',
      '5:cpu,cpuacct:/job_7/docker\n0::/slice/job_8\n',
      { cpuSeconds: 12.5, peakMemoryBytes: 128_000_000 },
    ],
    [
      'a threaded cgroup, whose memory counts in the one above',
      '0::/slice/job_8/threads\n',
      { cpuSeconds: 0.25, peakMemoryBytes: 128_000_000 },
    ],
    ['a kernel before 5.19', '0::/old/job_9\n', { cpuSeconds: 1 }],
    ['a cgroup that is gone', '0::/gone\n', {}],
    ['a process that is gone', '', {}],
  ])('of %s', async (_name, text, expected) => {
    expect(await (await findMeterIn(text, root))()).toEqual(expected);
  });

  it('grows with a real process', async () => {
    const meter = await findUsageMeter(process.pid);
    const before = await meter();
    for (const end = performance.now() + 200; performance.now() < end;);
    const after = await meter();
    expect(after.cpuSeconds).toBeGreaterThan((before.cpuSeconds ?? 0) + 0.1);
  });
});
