import { expect, it } from 'vitest';
import { parseHierarchies } from '../../../lab/cgroup-tree.ts';
import { findCgroupFault } from '../../../lab/find-cgroup-fault.ts';
import { describeFailure } from '../../../lab/lab-error.ts';

const v1 = (...names: string[]): string =>
  names.map((name) => `31 30 0:27 / /sys/fs/cgroup/${name} rw - cgroup cgroup rw,${name}`).join('\n');
const systemd = '32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd';
const v2 = '26 22 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate';
const beside = '33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw';
const allV1 = v1('cpuset', 'cpu,cpuacct', 'memory', 'devices', 'freezer', 'pids');
const offered = 'cpuset cpu io memory hugetlb pids rdma misc\n';
const head = '#subsys_name\thierarchy\tnum_cgroups\tenabled\n';

const find = (mounts: string, controllers: string, known = head): string => {
  const fault = findCgroupFault(parseHierarchies(mounts), controllers, known);
  return fault === undefined ? 'fit' : describeFailure(fault);
};

it.each([
  ['cgroup v2 alone', v2, offered],
  ['all of v1', allV1, ''],
  ['all of v1 and an idle v2', `${allV1}\n${systemd}\n${beside}`, 'hugetlb\n'],
])('is content with %s', (_, mounts, controllers) => {
  expect(find(mounts, controllers)).toBe('fit');
});

it.each([
  ['nothing', '', '', head, 'No cgroups are mounted', 'mount -t cgroup2'],
  [
    'memory switched off at boot',
    v2,
    'cpuset cpu io pids\n',
    `${head}cpuset\t0\t1\t1\nmemory\t0\t1\t0\n`,
    'needs memory of cgroup v2',
    'cgroup_enable=memory',
  ],
  [
    'memory switched off at boot, with v1',
    v1('cpuset', 'devices', 'freezer', 'pids'),
    '',
    `${head}memory\t0\t1\t0\n`,
    'needs memory of cgroup v1',
    'cgroup_disable=memory',
  ],
  ['v1 with memory given to v2', v1('cpuset', 'devices', 'freezer', 'pids'), 'memory', head, 'needs memory of', '_v1'],
  ['v2 whose memory v1 holds', v2, 'cpuset cpu pids', `${head}memory\t7\t1\t1\n`, 'needs memory of', 'hierarchy=1'],
  ['a container without controllers', v2, '\n', head, 'cpuset, cpu, memory, pids', 'the machine itself'],
  ['all controllers in v2 beside hierarchies of v1', `${systemd}\n${beside}`, offered, head, 'beside it', '=1'],
])('names the fault and the remedy for %s', (_, mounts, controllers, known, fault, remedy) => {
  const said = find(mounts, controllers, known);
  expect(said).toContain(fault);
  expect(said).toContain(remedy);
  expect(said).toContain('docs/lab.md');
});
