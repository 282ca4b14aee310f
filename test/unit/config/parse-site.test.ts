import { describe, expect, it } from 'vitest';
import { parseSite, readSite } from '../../../src/config/parse-site.ts';
import { JobError } from '../../../src/values/errors.ts';
import { schedulerNames } from '../../../src/contract/schedulers.ts';

const problemsOf = (text: string): readonly string[] => readSite(text).problems;

describe('parseSite', () => {
  it('fills every default in', () => {
    const config = parseSite('version: 1\n');
    expect(config.network).toEqual({
      driver: 'vxlan',
      pool: '10.128.0.0/12',
      prefixLength: 24,
      mtu: 0,
      vxlan: { port: 4789, baseId: 4096 },
    });
    expect(config.applications).toEqual({});
  });

  it('takes a section whose keys are all commented out as if it were not there', () => {
    expect(parseSite('version: 1\nnetwork:\n  vxlan:\netcd:\napplications:\n')).toEqual(parseSite('version: 1'));
  });

  it('takes the source of a mount for its target', () => {
    const { mounts } = parseSite('version: 1\nmounts: {allowed: [{source: /scratch}]}');
    expect(mounts.allowed).toMatchObject([{ source: '/scratch', target: '/scratch', readOnly: false, always: true }]);
  });

  it('tells all problems in one error, each with its line', () => {
    const text = [
      'version: 1',
      'netwrk: {}',
      'network:',
      '  pool: "10.128"',
      'etcd:',
      '  leaseTtlSeconds: 6',
      'ssh: {port: 22}',
    ];
    expect(() => parseSite(text.join('\n'))).toThrow(JobError);
    expect(problemsOf(text.join('\n'))).toEqual([
      'site.yaml:2: netwrk: unknown key; did you mean network?',
      'site.yaml:4: network.pool: expected a CIDR like 10.128.0.0/12, got "10.128"',
      'site.yaml:6: etcd.leaseTtlSeconds: must be more than three times etcd.callTimeoutMs (more than 6 s), got 6',
      'site.yaml:7: ssh.port: expected a whole number from 1024 to 65535, got 22',
    ]);
  });

  it.each([
    ['', 'version: is missing: expected 1'],
    ['version: 2', 'version: expected 1, got 2'],
    ['- a', 'expected a section of keys, got ["a"]'],
    ['version: 1\nsite: 3', 'site: expected a section of keys, got 3'],
    ['version: 1\nsite: {name: }', 'site.name: expected a name of letters, digits, ".", "_" and "-", got null'],
    ['version: 1\nsite: {keyPrefix: clusterA}', 'expected "" or a prefix like /clusterA, got "clusterA"'],
    [
      'version: 1\nscheduler: {kind: condor}',
      `scheduler.kind: expected one of auto, ${schedulerNames.join(', ')}, got "condor"`,
    ],
    ['version: 1\nscheduler: {commandPath: "bin"}', 'expected absolute directories with ":" between them'],
    ['version: 1\nscheduler: {requireJobCgroup: yes}', 'expected true or false, got "yes"'],
    [
      'version: 1\nscheduler: {requireJobCgruop: true}',
      'scheduler.requireJobCgruop: unknown key; did you mean requireJobCgroup?',
    ],
    ['version: 1\naudit: {path: x}', 'audit.path: unknown key; known here: file, required'],
    ['version: 1\naudit: {required: true}', 'audit.required: needs audit.file'],
    ['version: 1\nsite: {name: a}\nsite: {name: b}', 'site.yaml:3: the key site stands twice'],
    ['version: 1\nsite: {name: a, name: b}', 'site.yaml:2: the key name stands twice'],
    ['version: 1\nsite: *nothing', 'site.yaml:1: Unresolved alias'],
    ['version: 1\nsite: [', 'site.yaml:2: '],
    ['version: 1\n\tsite: 1', 'site.yaml:2: '],
    ['version: 1\n---\nversion: 1', 'site.yaml:2: '],
    ['version: 1\n"__proto__": {a: 1}', '__proto__: unknown key'],
    ['version: 1\netcd: {endpoints: "https://a:1"}', 'etcd.endpoints: expected a list of addresses, got "https://a:1"'],
    ['version: 1\netcd: {endpoints: ["http://a:2379"]}', 'etcd.endpoints[0]: must begin with https://'],
    ['version: 1\netcd: {endpoints: ["https://u:p@a:2379"]}', 'expected an address like https://etcd1:2379'],
    ['version: 1\netcd: {endpoints: ["https://a:99999"]}', 'is not an address with a port from 1 to 65535'],
    ['version: 1\netcd: {endpoints: ["https://a:1", "https://a:1"]}', 'stands twice'],
    ['version: 1\netcd: {callTimeoutMs: 1.5}', 'expected whole milliseconds from 100 to 60000, got 1.5'],
    ['version: 1\netcd: {keyFile: tls/key.pem}', 'etcd.keyFile: expected an absolute path'],
    ['version: 1\nimages: {allowed: ["*.example/x"]}', 'images.allowed[0]: "*.example/x" is not an image pattern'],
    ['version: 1\napplications: {a: {}}', 'applications.a.image: is missing: expected an image reference'],
    ['version: 1\napplications: {"a:1": {image: X}}', 'applications."a:1".image: "X" is not an image reference'],
    [
      'version: 1\napplications: {a: {image: x, mounts: [/y]}}',
      'applications.a.mounts[0]: "/y" is not a source in mounts.allowed',
    ],
    ['version: 1\napplications: {a: {image: x, network: host}}', 'applications.a.network: expected one of "", vxlan'],
    ['version: 1\napplications: {a: {image: x, network: solo}}', 'applications.a.network: expected one of "", vxlan'],
    ['version: 1\nnetwork: {driver: solo}', 'network.driver: expected vxlan, got "solo"'],
    ['version: 1\nnetwork: {singleHostDriver: vxlan}', 'singleHostDriver'],
    [
      'version: 1\napplications: {a: {image: x, hostfile: ../m}}',
      'applications.a.hostfile: expected "" or a path below the workdir',
    ],
    [
      'version: 1\napplications: {a: {image: x, hostfile: /m}}',
      'applications.a.hostfile: expected "" or a path below the workdir',
    ],
    [
      'version: 1\napplications: {a: {image: x, environment: {N: 1}}}',
      'applications.a.environment.N: expected a text (put numbers',
    ],
    [
      'version: 1\napplications: {a: {image: x, environment: {"N=": ""}}}',
      'expected a name of an environment variable',
    ],
    [
      'version: 1\nnetwork: {pool: 10.128.0.1/12}',
      'network.pool: expected a CIDR like 10.128.0.0/12 whose host bits are zero',
    ],
    ['version: 1\nnetwork: {pool: 127.0.0.0/8}', 'network.pool: overlaps 127.0.0.0/8'],
    [
      'version: 1\nnetwork: {pool: 10.0.0.0/25}',
      'network.prefixLength: the pool 10.0.0.0/25 is smaller than one subnet of length 24',
    ],
    ['version: 1\nnetwork: {vxlan: {baseId: 16773121}}', 'network.vxlan.baseId: identifiers of the pool'],
    ['version: 1\nnetwork: {mtu: 100}', 'network.mtu: expected 0 or bytes from 576 to 65535, got 100'],
    ['version: 1\nmounts: {allowed: [{target: /x}]}', 'mounts.allowed[0].source: is missing'],
    ['version: 1\nmounts: {allowed: [{source: /}]}', 'mounts.allowed[0].source: expected an absolute path'],
    ['version: 1\nmounts: {allowed: [{source: /a/../b}]}', 'mounts.allowed[0].source: expected an absolute path'],
    ['version: 1\nmounts: {allowed: [{source: /a/}]}', 'mounts.allowed[0].source: expected an absolute path'],
    ['version: 1\nmounts: {allowed: [{source: /a//b}]}', 'mounts.allowed[0].source: expected an absolute path'],
    ['version: 1\nmounts: {allowed: [{source: /a, target: /etc}]}', '"/etc" overlaps /etc'],
    ['version: 1\nmounts: {allowed: [{source: /a, target: /.hpcdj/x}]}', '"/.hpcdj/x" overlaps /.hpcdj'],
    [
      'version: 1\nmounts: {allowed: [{source: /a, target: /x}, {source: /b, target: /x/y}]}',
      '"/x/y" overlaps the target "/x"',
    ],
    ['version: 1\nmounts: {allowed: [{source: /a, target: /x}, {source: /a, target: /y}]}', '"/a" stands twice'],
    [
      'version: 1\nmounts: {allowed: [{source: /run, target: /x}]}',
      '"/run" would bring /run/docker.sock into containers',
    ],
    [
      'version: 1\nmounts: {allowed: [{source: /var/run/docker.sock, target: /x}]}',
      'would bring /run/docker.sock into containers',
    ],
    [
      'version: 1\nmounts: {allowed: [{source: /etc, target: /x}]}',
      'would bring /etc/hpc-submit-dockerjob/tls/host-key.pem',
    ],
    ['version: 1\nmounts: {allowed: [{source: /sys/fs, target: /x}]}', '"/sys/fs" lies in /sys'],
    [
      'version: 1\ndeadlines: {stopSeconds: 300, releaseSeconds: 500}',
      'deadlines.releaseSeconds: and deadlines.stopSeconds must be at most 780 together',
    ],
    ['version: 1\nlsf: {start: prologue}', 'lsf.start: "prologue" needs scheduler.requireJobCgroup: false'],
    [
      'version: 1\ndeadlines: {releaseSeconds: 10}',
      'deadlines.releaseSeconds: must be more than deadlines.stopSeconds (10)',
    ],
    [
      'version: 1\ncontainer: {memlock: -2}',
      'container.memlock: expected -1 (no limit) or at least 65536 bytes, got -2',
    ],
    ['version: 1\nsite: &a {name: x}\nnetwork: *a', 'network.name: unknown key'],
  ])('refuses %j', (text, problem) => {
    expect(problemsOf(text).join('\n')).toContain(problem);
    expect(() => parseSite(text)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error);
  });

  it('tells rules of sound keys beside faulty ones, but not of defaults that stand in for them', () => {
    const problems = problemsOf(
      'version: 3\nnetwork: {pool: 1, prefixLength: 9}\nmounts: {allowed: [{}, {source: /a, x: 1}]}\ndeadlines: {releaseSeconds: 1}',
    );
    expect(problems.map((problem) => problem.split(': ')[1])).toEqual([
      'version',
      'network.pool',
      'mounts.allowed[0].source',
      'mounts.allowed[1].x',
      'deadlines.releaseSeconds',
    ]);
  });

  it.each([
    [
      'mounts: {allowed: [{source: 3}, {source: /a, target: /etc}, {source: /b, target: /x}, {source: /c, target: /x/y}, {source: /a, x: 1}]}',
      [
        'mounts.allowed[0].source',
        'mounts.allowed[4].x',
        'mounts.allowed[1].target',
        'mounts.allowed[3].target',
        'mounts.allowed[4].source',
      ],
    ],
    [
      'mounts: {allowed: [no, {}, {source: /run}]}',
      ['mounts.allowed[0]', 'mounts.allowed[1].source', 'mounts.allowed[2].source'],
    ],
    ['etcd: {endpoints: [5, "http://a:1", x, "http://b:1"]}', [0, 2, 1, 3].map((index) => `etcd.endpoints[${index}]`)],
    ['images: {allowed: [1, "*.x/y"]}', ['images.allowed[0]', 'images.allowed[1]']],
    ['network: {mtu: 1, vxlan: {baseId: 16773121}}', ['network.mtu', 'network.vxlan.baseId']],
    ['etcd: {keyFile: x, leaseTtlSeconds: 6}', ['etcd.keyFile', 'etcd.leaseTtlSeconds']],
    [
      'docker: {socket: x}\nmounts: {allowed: [{source: /etc, target: /y}]}',
      ['docker.socket', 'mounts.allowed[0].source'],
    ],
    [
      'applications: {a: {image: x, mounts: [/y]}}\nmounts: {allowed: [{source: /z, target: y}]}',
      ['mounts.allowed[0].target', 'applications.a.mounts[0]'],
    ],
    [
      'lsf: {aliases: {of: {application: no}, foam: {application: a}}}\napplications: {a: {}}',
      ['applications.a.image', 'lsf.aliases.of.application'],
    ],
  ])('tells the broken rules of %s at once, each where it stands in the file', (text, keys) => {
    const problems = problemsOf(`version: 1\n${text}`);
    expect(problems.map((problem) => problem.split(': ')[1]).toSorted()).toEqual(keys.toSorted());
  });

  it.each([
    ['a source that is faulty', 'applications: {a: {image: x, mounts: [/y]}}\nmounts: {allowed: [{source: 3}]}'],
    ['a target with a typo', 'mounts: {allowed: [{source: /x, target: /a}, {source: /x/y, targt: /b}]}'],
    ['a socket with a typo', 'docker: {sokcet: /a/b}\nmounts: {allowed: [{source: /var/run/docker.sock, target: /c}]}'],
    ['a target before it that is faulty', 'mounts: {allowed: [{source: /x, target: 1}, {source: /x/y, target: /x/y}]}'],
    ['a call time-out that is faulty', 'etcd: {callTimeoutMs: 0, leaseTtlSeconds: 6}'],
    ['a pool that is faulty', 'network: {pool: 1, prefixLength: 9}'],
  ])('tells no rule that rests on %s', (_, text) => {
    expect(problemsOf(`version: 1\n${text}`)).toHaveLength(1);
  });

  it('does not unfold a bomb of aliases', () => {
    const levels = Array.from(
      { length: 12 },
      (_, level) => `l${level + 1}: &l${level + 1} [${Array(9).fill(`*l${level}`).join(', ')}]`,
    );
    expect(() => parseSite(`version: 1\nl0: &l0 [x]\n${levels.join('\n')}`)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error,
    );
  });

  it('names the file that it was given', () => {
    expect(readSite('', '/etc/x.yaml').problems).toEqual(['/etc/x.yaml:1: version: is missing: expected 1']);
  });
});
