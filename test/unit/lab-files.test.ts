import { describe, expect, it } from 'vitest';
import { isUnified, parseHierarchies, toBootArguments } from '../../lab/cgroup-tree.ts';
import { renderGroup, renderGshadow, renderHosts, renderPasswd, renderShadow } from '../../lab/host-files.ts';
import { hashRecipe, imageRecipes, renderImageConfig, renderManifest } from '../../lab/image-recipes.ts';
import { allHosts, layOut } from '../../lab/layout.ts';
import { findContainerLimits } from '../../lab/read-limits.ts';
import { renderCgroupConf, renderSlurmConf } from '../../lab/slurm-config.ts';
import { parseSite } from '../../src/config/parse-site.ts';
import { renderSite } from '../../lab/install-product.ts';

const layout = layOut({ name: 'lab', hosts: 3, etcdMembers: 3 });

describe('layOut', () => {
  it('gives the head and every node an address of its own', () => {
    const addresses = allHosts(layout).map(({ name, address }) => `${name} ${address}`);
    expect(addresses).toEqual(['head 10.77.0.1', 'node1 10.77.0.11', 'node2 10.77.0.12', 'node3 10.77.0.13']);
  });

  it('gives every etcd member ports of its own', () => {
    const urls = layout.etcdMembers.flatMap(({ clientUrl, peerUrl }) => [clientUrl, peerUrl]);
    expect(new Set(urls).size).toBe(6);
  });

  it.each(['', 'Lab', '1lab', 'a-b', '../etc', 'a/b', 'lab lab', 'toolongname'])('refuses the name %j', (name) => {
    expect(() => layOut({ name, hosts: 3, etcdMembers: 1 })).toThrow('is no lab name');
  });

  it.each([0, -1, 1.5, 65, Number.NaN])('refuses %d hosts', (hosts) => {
    expect(() => layOut({ name: 'lab', hosts, etcdMembers: 1 })).toThrow('1 to 64 hosts');
  });
});

describe('parseHierarchies', () => {
  const mountInfo = [
    '30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755',
    '31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct',
    '32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/lib/agent,name=systemd',
    '33 30 0:29 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw',
    '31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct',
    '',
  ].join('\n');

  it('finds each hierarchy once, with the options that mount it again', () => {
    expect(toBootArguments(parseHierarchies(mountInfo))).toEqual([
      'cpu,cpuacct=cgroup:cpu,cpuacct',
      'systemd=cgroup:none,name=systemd',
      'unified=cgroup2:rw',
    ]);
  });

  it('takes cgroup v2 alone for the whole, wherever else it is mounted', () => {
    const hierarchies = parseHierarchies(
      [
        '26 22 0:23 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot',
        '99 22 0:23 / /mnt/again rw - cgroup2 cgroup2 rw',
      ].join('\n'),
    );
    expect(isUnified(hierarchies)).toBe(true);
    expect(toBootArguments(hierarchies)).toEqual(['.=cgroup2:rw']);
    expect(isUnified(parseHierarchies(mountInfo))).toBe(false);
  });

  it('finds none in a machine without cgroups', () => {
    expect(parseHierarchies('22 1 254:0 / / rw - ext4 /dev/vda rw\n')).toEqual([]);
  });
});

describe('the account files of a host', () => {
  const machinePasswd = [
    'root:x:0:0:root:/root:/bin/bash',
    'carol:x:1000:1000::/home/carol:/bin/sh',
    'slurm:x:64030:64030::/:/sbin/nologin',
    '',
  ].join('\n');

  it('keep the system accounts, drop the people of the machine, add those of the lab', () => {
    const names = renderPasswd(machinePasswd)
      .trim()
      .split('\n')
      .map((line) => line.split(':')[0]);
    expect(names).toEqual(['root', 'slurm', 'alice', 'bob']);
  });

  it('give nobody a password', () => {
    const lines = renderShadow(renderPasswd(machinePasswd)).trim().split('\n');
    expect(lines.every((line) => line.split(':')[1] === '*')).toBe(true);
    expect(lines).toHaveLength(4);
  });

  it('put both users into the shared group, and no user into any other', () => {
    const group = renderGroup('root:x:0:\ndocker:x:999:carol\nusers:x:100:\n');
    expect(group).toContain('cfd:x:2100:alice,bob\n');
    expect(group.split('\n').filter((line) => /alice|bob/.test(line.split(':')[3] ?? ''))).toHaveLength(1);
    expect(renderGshadow(group)).toContain('cfd:*::\n');
  });

  it('name every host', () => {
    expect(renderHosts(layout)).toContain('10.77.0.12 node2\n');
  });
});

describe('renderSlurmConf', () => {
  it('tracks and limits jobs by cgroup and names every node', () => {
    const text = renderSlurmConf(layout, { cpus: 2, memoryMb: 4096 });
    for (const line of ['ProctrackType=proctrack/cgroup', 'PrologFlags=Contain', 'SlurmctldHost=head(10.77.0.1)']) {
      expect(text).toContain(`${line}\n`);
    }
    expect(text).toMatch(/^NodeName=node3 NodeAddr=10\.77\.0\.13 CPUs=2 .*RealMemory=4096/m);
  });
});

describe('a slow machine', () => {
  it('has Slurm wait so many times longer, within what it takes', () => {
    const text = renderSlurmConf(layout, { cpus: 2, memoryMb: 4096 }, 20);
    for (const line of ['KillWait=200', 'MessageTimeout=100', 'SlurmdTimeout=600']) expect(text).toContain(`${line}\n`);
  });

  it.each([1, 1.5, 10, 100])('has a site that the product takes, with deadlines %s times as long', (patience) => {
    const { deadlines, etcd } = parseSite(renderSite(layout, {}, patience));
    expect(deadlines.startSeconds).toBe(Math.min(60 * patience, 3600));
    expect(etcd.leaseTtlSeconds).toBe(20 * patience);
    expect(etcd.endpoints).toHaveLength(3);
  });
});

describe('renderCgroupConf', () => {
  it('needs no systemd on cgroup v2', () => {
    expect(renderCgroupConf(true)).toContain('CgroupPlugin=cgroup/v2\nIgnoreSystemd=yes\n');
    expect(renderCgroupConf(false)).toContain('CgroupPlugin=cgroup/v1\n');
  });
});

describe('findContainerLimits', () => {
  const limits = [
    'Max stack size            8388608              unlimited            bytes     ',
    'Max open files            1024                 20000                files     ',
    'Max locked memory         8388608              8388608              bytes     ',
  ].join('\n');

  it('names the hard limits where root cannot raise them', () => {
    expect(findContainerLimits('CapEff:\t000001fffeffffff\n', limits)).toEqual({ nofile: 20_000, memlock: 8_388_608 });
  });

  it('names none where root can', () => {
    expect(findContainerLimits('CapEff:\t000001ffffffffff\n', limits)).toEqual({});
  });
});

describe('image recipes', () => {
  it('have a cache key that depends on all that goes into the image', () => {
    const [recipe] = imageRecipes;
    if (recipe === undefined) throw new Error('there is no recipe');
    const key = hashRecipe(recipe, 'bookworm', 'amd64');
    expect(hashRecipe(recipe, 'bookworm', 'amd64')).toBe(key);
    expect(hashRecipe(recipe, 'trixie', 'amd64')).not.toBe(key);
    expect(hashRecipe({ ...recipe, packages: [...recipe.packages, 'gdb'] }, 'bookworm', 'amd64')).not.toBe(key);
  });

  it('give an archive that docker load understands', () => {
    const [recipe] = imageRecipes;
    if (recipe === undefined) throw new Error('there is no recipe');
    expect(JSON.parse(renderImageConfig(recipe, 'amd64', 'abc'))).toMatchObject({
      rootfs: { diff_ids: ['sha256:abc'] },
    });
    expect(JSON.parse(renderManifest('lab/x:1', 'c.json', 'l.tar'))).toEqual([
      { Config: 'c.json', RepoTags: ['lab/x:1'], Layers: ['l.tar'] },
    ]);
  });
});
