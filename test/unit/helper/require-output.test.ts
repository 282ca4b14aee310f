import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { requireOutput, requireReader } from '../../../src/helper/caller/require-output.ts';

const directory = mkdtempSync(join(tmpdir(), 'hpcdj-output-'));
afterAll(() => rmSync(directory, { recursive: true }));

const judge = (path: string, flags: string, require = requireOutput): (() => void) => {
  const descriptor = openSync(path, flags);
  return () => {
    try {
      require(descriptor);
    } finally {
      closeSync(descriptor);
    }
  };
};

describe('requireOutput', () => {
  it.each(['/proc/self/oom_score_adj', '/proc/self/autogroup', '/proc/self/comm', '/sys/kernel/profiling'])(
    'refuses %s, by which the kernel takes orders',
    (path) => {
      expect(judge(path, 'r')).toThrow('a file of the kernel');
    },
  );

  it.each(['/dev/null', '/dev/full'])('takes %s', (path) => {
    expect(judge(path, 'w')).not.toThrow();
  });

  it('takes a plain file, a pipe, a terminal, and what is not open', () => {
    expect(judge(join(directory, 'file'), 'w')).not.toThrow();
    for (const descriptor of [1, 2, 987]) expect(() => requireOutput(descriptor)).not.toThrow();
  });
});

describe('requireReader', () => {
  it.each([join(directory, 'output'), '/proc/self/comm', '/dev/zero'])('refuses %s', (path) => {
    expect(judge(path, 'w', requireReader)).toThrow('into none');
  });

  it.each(['/dev/null', '/dev/full', '/dev/ptmx'])('takes %s', (path) => {
    expect(judge(path, 'w', requireReader)).not.toThrow();
  });

  it('takes a pipe, and what is not open', () => {
    const fifo = join(directory, 'pipe');
    execFileSync('mkfifo', [fifo]);
    expect(judge(fifo, 'r+', requireReader)).not.toThrow();
    expect(() => requireReader(987)).not.toThrow();
  });
});
