import { expect, test } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { explainContainer } from '../../../src/policy/explain-container.ts';

const explain = (container: string): readonly string[] =>
  explainContainer(parseSite(`version: 1\n${container}`)).map((rule) => Object.values(rule).join(' | '));

test('says which bound of the disk holds', () => {
  expect(explain('')[1]).toBe(
    "the image's file system | up to 1 GiB and 20000 files may be written to it; watched | container.writableLayer",
  );
  expect(explain('container:\n  writableLayer:\n    bytes: 2097152\n')[1]).toContain('up to 2 MiB and 20000 files');
  expect(explain('container:\n  readOnlyRoot: true\n')[1]).toBe(
    "the image's file system | read-only | container.readOnlyRoot",
  );
});

test('says how large a core file may become', () => {
  expect(explain('').join()).toContain('then of any size');
  expect(explain('container:\n  coreBytes: 1048576\n').join()).toContain('then up to 1 MiB');
});

test('says how large /dev/shm is, and what may be asked for', () => {
  expect(explain('container:\n  shmMaxBytes: 0\n')[0]).toBe(
    "/dev/shm | 1 GiB, of the job's memory; --shm-size may ask for 1 GiB | container.shmBytes, container.shmMaxBytes",
  );
});
