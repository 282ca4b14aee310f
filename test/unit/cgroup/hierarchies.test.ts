import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hierarchiesOf, placesOf } from '../../../src/cgroup/hierarchies.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'hierarchies-'));
  for (const name of ['v1/memory', 'v1/cpu,cpuacct', 'hybrid/freezer', 'hybrid/unified', 'v2/a.slice'])
    mkdirSync(join(root, name), { recursive: true });
  symlinkSync('cpu,cpuacct', join(root, 'v1/cpuacct'));
  writeFileSync(join(root, 'v2/cgroup.controllers'), 'cpu memory\n');
});
afterAll(() => rmSync(root, { recursive: true }));

const v1 = '5:cpu,cpuacct:/job/docker\n4:memory:/job\n1:name=systemd:/x\n';
const hybrid = '3:freezer:/job\n0::/scope\n';

describe('where the files of a controller are', () => {
  it.each([
    ['cgroup v1', 'v1', v1, 'memory', ['v1/memory/job']],
    ['a hierarchy of two controllers, and a link to it', 'v1', v1, 'cpuacct', ['v1/cpu,cpuacct/job/docker']],
    ['a controller that is mounted nowhere', 'v1', '6:freezer:/job\n', 'freezer', []],
    ['both, that of cgroup v1 first', 'hybrid', hybrid, 'freezer', ['hybrid/freezer/job', 'hybrid/unified/scope']],
    ['the unified one beside others', 'hybrid', hybrid, 'memory', ['hybrid/unified/scope']],
    ['cgroup v2', 'v2', '0::/a.slice\n', 'memory', ['v2/a.slice']],
    ['a process that has ended', 'v2', '', 'memory', []],
  ])('of %s', async (_name, host, text, controller, expected) => {
    const places = await placesOf(text, controller, join(root, host));
    expect(places.map(({ directory }) => directory)).toEqual(expected.map((path) => join(root, path)));
    for (const { top, directory, isUnified } of places) {
      expect(directory.startsWith(`${top}/`)).toBe(true);
      expect(isUnified).toBe(directory.includes('/unified/') || host === 'v2');
    }
  });

  it('is nowhere without cgroups', async () => {
    expect(await hierarchiesOf('memory', join(root, 'nowhere'))).toEqual([]);
  });
});
