/** What no site.yaml can allow, whatever somebody writes into it and however the host is arranged. */
import fc from 'fast-check';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { findForbiddenHere } from '../../../src/config/find-forbidden-here.ts';
import type { HostView } from '../../../src/config/find-forbidden-here.ts';
import { loadSite } from '../../../src/config/load-site.ts';
import { parseSite, readSite } from '../../../src/config/parse-site.ts';
import { refuseForbiddenSources } from '../../../src/config/refuse-linked-sources.ts';
import { keysAt } from '../../../src/config/schema-tree.ts';
import type { SiteConfig } from '../../../src/config/site-schema.ts';
import { parseMountTable } from '../../../src/system/mount-table.ts';
import { describeFinalContainer } from '../../../src/middleware/policy/describe-final-container.ts';
import { imagineAllocation, judgeAsked } from '../../../src/middleware/policy/judge-asked.ts';
import { readRequest } from '../../../src/middleware/read-request.ts';
import { asJobError } from '../../../src/values/errors.ts';
import { seed } from '../../support/hostile-bytes.ts';

const defaults = parseSite('version: 1');

/** As Docker, compose, Podman and Kubernetes write it, and as one could guess it to be called here. */
const wishes = [
  ...['privileged', 'Privileged', 'pid', 'pidMode', 'PidMode', 'hostPID', 'ipc', 'ipcMode', 'hostIPC', 'shareIpc'],
  ...['userns', 'usernsMode', 'userns_mode', 'uts', 'network_mode', 'hostNetwork', 'cgroupns', 'cap_add', 'capAdd'],
  ...['capabilities', 'securityOpt', 'security_opt', 'seccomp', 'apparmor', 'devices', 'volumes', 'binds', 'options'],
  ...['hostConfig', 'HostConfig', 'runtime', 'sysctls', 'entrypoint', 'user', 'volumesFrom', 'args', 'extraOptions'],
];
const sections = [
  [],
  ['container'],
  ['docker'],
  ['network'],
  ['images'],
  ['mounts'],
  ['scheduler'],
  ['applications', 'a:1'],
];

describe('site.yaml has no word', () => {
  const written = (path: readonly string[], key: string, value: unknown): string => {
    const inner = path.at(-1) === 'a:1' ? { image: 'x', [key]: value } : { [key]: value };
    const site = path.toReversed().reduce<object>((below, step) => ({ [step]: below }), inner);
    return stringify({ version: 1, ...site });
  };

  it.each(wishes)('%s, in no section', (key) => {
    for (const path of sections) {
      // A section of this very name: its own keys are looked at as well.
      if (keysAt(path).includes(key)) continue;
      const { problems } = readSite(written(path, key, true));
      expect(problems).toEqual([expect.stringMatching(new RegExp(`${key}: unknown key`))]);
    }
  });

  it('for an option of a mount or an image', () => {
    for (const key of wishes) {
      const mounts = { allowed: [{ source: '/scratch', [key]: true }] };
      const images = { allowed: [{ image: 'lab/*', [key]: true }] };
      const { problems } = readSite(stringify({ version: 1, mounts, images }));
      expect(problems).toHaveLength(2);
    }
  });

  it('for a driver that is the host', () => {
    for (const driver of ['host', 'none', 'container:x', 'bridge', 'solo'])
      expect(readSite(`version: 1\nnetwork: {driver: "${driver}"}`).problems).toHaveLength(1);
  });
});

describe('the final container', () => {
  const word = fc.constantFrom('host', 'privileged', '--privileged', 'ALL', 'container:x', '/', '/etc', 'a', 'PATH');
  const container = fc.record({
    readOnlyRoot: fc.boolean(),
    pidsMax: fc.integer({ min: 16, max: 4_194_304 }),
    memlock: fc.constantFrom(-1, 65_536),
    shmBytes: fc.integer({ min: 1024 ** 2, max: 2 ** 40 }),
  });
  const site: fc.Arbitrary<SiteConfig> = fc
    .record({
      container,
      scheduler: fc.record({ requireJobCgroup: fc.boolean() }),
      network: fc.record({ prefixLength: fc.constantFrom(24, 29) }),
      docker: fc.record({ socket: fc.constantFrom('/var/run/docker.sock', '/srv/engine/docker.sock') }),
      environment: fc.dictionary(fc.constantFrom('DOCKER_HOST', 'LD_PRELOAD', 'A'), word),
    })
    .map(({ environment, ...sectionsOfSite }) => ({
      version: 1,
      ...sectionsOfSite,
      etcd: { endpoints: ['https://etcd1:2379'] },
      images: { allowed: ['**'] },
      applications: { 'a:1': { image: 'lab/a', environment } },
      mounts: { allowed: [{ source: '/scratch' }, { source: '/opt/sw', always: false }] },
    }))
    .map((value) => parseSite(stringify(value)));
  const request = fc.record({
    image: fc.constantFrom('lab/a', 'host', 'privileged'),
    command: fc.array(word, { minLength: 1, maxLength: 4 }),
    env: fc.array(fc.tuple(fc.constantFrom('DOCKER_OPTS', 'LD_PRELOAD', 'B'), word)),
    mount: fc.subarray(['/opt/sw']),
    isApplication: fc.boolean(),
    hosts: fc.integer({ min: 1, max: 3 }),
  });
  const user = { name: 'alice', uid: 2001, gid: 2001, home: '/', groups: [{ gid: 2001, name: 'alice' }] };

  it('shares nothing of the host that no site may allow', async () => {
    await fc.assert(
      fc.asyncProperty(site, request, async (policy, { image, command, env, mount, isApplication, hosts }) => {
        const options = {
          ...(isApplication ? { application: 'a:1' } : { image }),
          ...{ mount, workdir: '/scratch', env: env.map(([name, value]) => `${name}=${value}`) },
        };
        const asked = judgeAsked(policy, imagineAllocation(hosts), readRequest(options, command, {}, '/'), {
          ...{ user, queue: undefined },
        });
        const made = await describeFinalContainer({ site: policy, asked, user, job: undefined });
        const { HostConfig: host = {}, User } = made.options;
        expect(User).toBe('2001:2001');
        expect(host).toMatchObject({ Privileged: false, CapDrop: ['ALL'], CapAdd: [], IpcMode: 'private' });
        expect(host.SecurityOpt).toContain('no-new-privileges');
        for (const mode of [host.PidMode, host.IpcMode, host.UsernsMode, host.UTSMode, host.NetworkMode])
          expect(mode ?? '').not.toMatch(/^(?:host|container:)/);
        for (const key of ['Devices', 'DeviceRequests', 'DeviceCgroupRules', 'Binds', 'VolumesFrom', 'Runtime'])
          expect(host).not.toHaveProperty(key);
        for (const each of host.Mounts ?? [])
          expect(each.Source).toMatch(/^(?:<runtime>|\/run\/hpc-dockerjob\/<job>\/node-0\/|\/scratch$|\/opt\/sw$)/);
      }),
      { numRuns: 30, seed },
    );
  });
});

describe('a source in site.yaml', () => {
  const problemsOf = (source: string, more = ''): readonly string[] =>
    readSite(`version: 1\nmounts: { allowed: [{ source: ${JSON.stringify(source)}, target: /x }] }\n${more}`).problems;

  it.each([
    ...['/', '//', '/.', '/..', '/etc', '//etc', '/etc/', '/etc//ssh', '/etc/../etc', '/scratch/../etc', '/./etc'],
    ...['/proc', '/proc/1/root', '/proc/self/root', '/proc/self/cwd', '/sys', '/sys/fs/cgroup', '/dev', '/dev/shm'],
    ...['/run', '/var/run', '/run/docker.sock', '/var/run/docker.sock', '/var/run/docker', '/run/containerd'],
    ...['/var', '/var/lib', '/var/lib/docker', '/root', '/boot', 'etc', '.', '', '~', '/etc\u0000', '/scratch\n/etc'],
  ])('is never %j', (source) => {
    expect(problemsOf(source)).not.toEqual([]);
  });

  it.each([
    ['/srv/engine', 'docker: {socket: /srv/engine/docker.sock}'],
    ['/srv', 'docker: {socket: /srv/engine/docker.sock}'],
    ['/srv/engine/docker.sock', 'docker: {socket: /srv/engine/docker.sock}'],
    ['/srv/tls', 'etcd: {keyFile: /srv/tls/key.pem}'],
  ])('is never %s where the socket or key is there', (source, more) => {
    expect(problemsOf(source, more)).toEqual([expect.stringMatching(/would bring .* into containers/)]);
  });
});

/** A host with links and mounts of any kind. */
function hostWith(links: Readonly<Record<string, string>>, mountLines: readonly string[] = []): HostView {
  const table = ['25 1 8:1 / / rw - ext4 /dev/sda1 rw', '26 25 0:5 / /proc rw - proc proc rw'];
  const more = ['27 25 0:6 / /dev rw - devtmpfs dev rw', '28 25 0:20 / /run rw - tmpfs tmpfs rw'];
  const scratch = '29 25 8:17 / /scratch rw - xfs /dev/sdb1 rw';
  return {
    resolve: (path) => links[path] ?? path,
    mounts: parseMountTable([...table, ...more, scratch, ...mountLines].join('\n')),
  };
}
const bind = (device: string, root: string, at: string): string => `40 25 ${device} ${root} ${at} rw - ext4 x rw`;
const kernel = (fileSystem: string, at: string): string => `41 25 0:99 / ${at} rw - ${fileSystem} x rw`;

describe('a source on a host', () => {
  it.each<[string, string, HostView, string]>([
    ['a link to /etc', '/data', hostWith({ '/data': '/etc' }), '/etc'],
    ['a link to the root', '/data', hostWith({ '/data': '/' }), '/'],
    ['a link below /run', '/data', hostWith({ '/data': '/run/docker.sock' }), '/run'],
    ['a bind mount of /etc', '/data', hostWith({}, [bind('8:1', '/etc', '/data')]), '/etc'],
    ['a bind mount of the root', '/data', hostWith({}, [bind('8:1', '/', '/data')]), '/'],
    ['a place in a bind mount of the root', '/data/etc/ssh', hostWith({}, [bind('8:1', '/', '/data')]), '/etc'],
    ['a place above it there', '/data/var/lib', hostWith({}, [bind('8:1', '/', '/data')]), '/var/lib/docker'],
    ['a bind mount of /run', '/data', hostWith({}, [bind('0:20', '/', '/data')]), '/run'],
    ['a bind mount of a part of /etc', '/data', hostWith({}, [bind('8:1', '/etc/ssh', '/data')]), '/etc'],
    ['another proc', '/data', hostWith({}, [kernel('proc', '/data')]), 'the proc file system at /data'],
    ['a part of another sysfs', '/data/x', hostWith({}, [kernel('sysfs', '/data')]), 'the sysfs file system at /data'],
    ['a tree with /etc mounted in it', '/scratch', hostWith({}, [bind('8:1', '/etc', '/scratch/a/etc')]), '/etc'],
    ['a tree with the root in it', '/scratch', hostWith({}, [bind('8:1', '/', '/scratch/a')]), '/'],
    [
      'a tree with proc in it',
      '/scratch',
      hostWith({}, [kernel('proc', '/scratch/chroot/proc')]),
      'the proc file system at /scratch/chroot/proc',
    ],
    [
      'a tree with devices in it',
      '/scratch',
      hostWith({}, [kernel('devtmpfs', '/scratch/chroot/dev')]),
      'the devtmpfs file system at /scratch/chroot/dev',
    ],
    ['the disk of a linked engine', '/scratch', hostWith({ '/var/lib/docker': '/scratch/docker' }), '/scratch/docker'],
    [
      'the disk of a bound engine',
      '/scratch',
      hostWith({}, [bind('8:17', '/docker', '/var/lib/docker')]),
      '/var/lib/docker',
    ],
    ['the socket behind its link', '/srv', hostWith({ '/run/docker.sock': '/srv/docker.sock' }), '/srv/docker.sock'],
    ['a link to the directory of the key', '/data', hostWith({ '/data': '/etc/hpc-submit-dockerjob/tls' }), '/etc'],
  ])('is refused when it is %s', (_, source, host, brings) => {
    expect(findForbiddenHere(source, defaults, host)).toMatchObject({ brings });
    try {
      refuseForbiddenSources(defaults, [{ source }], host);
    } catch (thrown) {
      expect(asJobError(thrown)).toMatchObject({ code: 'MOUNT_NOT_ALLOWED', rule: `mounts.allowed "${source}"` });
      return;
    }
    expect.unreachable();
  });

  it.each<[string, string, HostView]>([
    ['a disk of its own', '/scratch', hostWith({})],
    ['a directory of the same disk', '/home', hostWith({})],
    ['a bind mount of such a directory', '/home', hostWith({}, [bind('8:1', '/data/home', '/home')])],
    ['a link to a disk', '/work', hostWith({ '/work': '/scratch/work' })],
    ['a subvolume beside that of the root', '/home', hostWith({}, [bind('8:1', '/@home', '/home')])],
    ['a name that begins alike', '/etcetera', hostWith({})],
    [
      'an automounted tree',
      '/net',
      hostWith({}, ['42 25 0:50 / /net rw - autofs x rw', '43 25 0:51 / /net/a rw - nfs4 x rw']),
    ],
    ['what is below it in another disk', '/scratch', hostWith({}, [bind('8:33', '/', '/scratch/more')])],
    ['what lies beside the engine', '/scratch/work', hostWith({ '/var/lib/docker': '/scratch/docker' })],
  ])('is left alone when it is %s', (_, source, host) => {
    expect(findForbiddenHere(source, defaults, host)).toBeUndefined();
  });

  it('closes the site by what it is, not by what is mounted below it', () => {
    const host = hostWith({}, [kernel('proc', '/scratch/chroot/proc')]);
    expect(findForbiddenHere('/scratch', defaults, host, false)).toBeUndefined();
    expect(findForbiddenHere('/scratch/chroot/proc', defaults, host, false)).toBeDefined();
  });

  it('is refused on this very host by a link to the directory of a moved socket', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'hpcdj-never-'));
    try {
      const [engine, link, file] = ['engine', 'link', 'site.yaml'].map((name) => join(directory, name)) as [
        string,
        string,
        string,
      ];
      await writeFile(file, '');
      await symlink(directory, link);
      const site = {
        version: 1,
        docker: { socket: `${engine}.sock` },
        mounts: { allowed: [{ source: link, target: '/x' }] },
      };
      await writeFile(`${engine}.sock`, '');
      await writeFile(file, stringify(site));
      await expect(loadSite(file, { mustBeTrusted: false })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
