/** The checks that the helper makes as root; each is seen to fail for its own reason. */
import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import type { SiteConfig } from '../../../src/config/site-schema.ts';
import { checkAskedImage } from '../../../src/helper/host-checks/check-asked-image.ts';
import { checkCertificate } from '../../../src/helper/host-checks/check-certificate.ts';
import { checkEngine } from '../../../src/helper/host-checks/check-engine.ts';
import { checkImages } from '../../../src/helper/host-checks/check-images.ts';
import { checkNetwork } from '../../../src/helper/host-checks/check-network.ts';
import { checkRegistries } from '../../../src/helper/host-checks/check-registries.ts';
import { checkRuntime } from '../../../src/helper/host-checks/check-runtime.ts';
import { checkScheduler } from '../../../src/helper/host-checks/check-scheduler.ts';
import { checkStore } from '../../../src/helper/host-checks/check-store.ts';
import { findRuntime } from '../../../src/helper/host/find-runtime.ts';
import type { Authorities } from '../../../src/helper/find-authority.ts';
import type { HostCommands } from '../../../src/ports/host-commands.ts';
import type { EngineFacts, ImageFacts } from '../../../src/ports/container-engine.ts';
import type { SchedulerAuthority } from '../../../src/ports/scheduler.ts';
import type { Store } from '../../../src/ports/store.ts';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import { JobError } from '../../../src/values/errors.ts';
import type { Check, Finding } from '../../../src/contract/finding.ts';
import { runChecks } from '../../../src/system/run-checks.ts';

async function find(check: Check): Promise<Finding> {
  const [finding] = await runChecks([check], 2000);
  return finding!;
}

const away = new JobError({ code: 'ENGINE_UNREACHABLE', message: 'The Docker Engine does not answer.' });
const good: EngineFacts = {
  ...{ version: '20.10', cgroupDriver: 'cgroupfs', cgroupVersion: '1' },
  ...{ seccomp: true, remapsUsers: false, rootDirectory: '/var/lib/docker' },
};
const site = parseSite(`version: 1
images: {allowed: ["hpc/*"]}
applications:
  "foam:1": {image: "hpc/foam:1"}
  "foam:2": {image: "hpc/foam:2"}
`);
const lax = parseSite('version: 1\nscheduler: {requireJobCgroup: false}');

describe('engine', () => {
  const engine = (facts: Partial<EngineFacts>) => ({ ping: () => Promise.resolve({ ...good, ...facts }) });

  it.each([
    ['is well', site, {}, 'ok', undefined],
    ['remaps users', site, { remapsUsers: true }, 'fail', 'HOST_UNFIT'],
    ['has the systemd driver', site, { cgroupDriver: 'systemd' }, 'fail', 'HOST_UNFIT'],
    ['has the systemd driver where no cgroup is asked for', lax, { cgroupDriver: 'systemd' }, 'warn', undefined],
    ['has no seccomp', site, { seccomp: false }, 'fail', 'HOST_UNFIT'],
  ] as const)('that %s', async (_, policy, facts, verdict, code) => {
    expect(await find(checkEngine(engine(facts), policy))).toMatchObject({ verdict, ...(code ? { code } : {}) });
  });

  it('that is away fails with the reason', async () => {
    const check = checkEngine({ ping: () => Promise.reject(away) }, site);
    expect(await find(check)).toMatchObject({ verdict: 'fail', code: 'ENGINE_UNREACHABLE' });
  });
});

const has = (...images: readonly string[]) => ({
  findImage: (reference: string): Promise<ImageFacts | undefined> =>
    Promise.resolve(
      images.includes(reference)
        ? {
            id: 'sha256:0',
            repoDigests: [],
            environment: [],
            architecture: 'amd64',
            os: 'linux',
            volumes: [],
            exposedPorts: 0,
            configurationLength: 2,
          }
        : undefined,
    ),
});

describe('images', () => {
  it('fails with the names of those that are missing', async () => {
    expect(await find(checkImages(has('hpc/foam:1', 'hpc/foam:2'), site))).toMatchObject({ verdict: 'ok' });
    expect(await find(checkImages(has('hpc/foam:1'), site))).toMatchObject({
      verdict: 'fail',
      code: 'IMAGE_NOT_PRESENT',
      message: 'Images of the catalogue are not on this host: hpc/foam:2.',
    });
  });

  it('are also those of aliases and queues of LSF, each once', async () => {
    const text = 'version: 1\nimages: {allowed: ["hpc/*"]}\napplications: {"a:1": {image: "hpc/a:1"}}\n';
    const lsf = 'lsf: {aliases: {x: {image: "hpc/a:1"}, y: {application: "a:1"}}, queues: {q: {image: "hpc/q:1"}}}\n';
    expect((await find(checkImages(has('hpc/a:1'), parseSite(text + lsf)))).message).toContain('host: hpc/q:1.');
  });

  it('cannot be looked for without an engine, which is told once', async () => {
    expect(await find(checkImages({ findImage: () => Promise.reject(away) }, site))).toMatchObject({ verdict: 'skip' });
  });
});

describe('image', () => {
  it.each([
    ['of the catalogue', { application: 'foam:1' }, 'ok', undefined],
    ['that is allowed and missing', { image: 'hpc/other:1' }, 'fail', 'IMAGE_NOT_PRESENT'],
    ['that is not allowed, though it is here', { image: 'evil/app:1' }, 'fail', 'IMAGE_NOT_ALLOWED'],
    ['of an unknown application', { application: 'foam:3' }, 'fail', 'APPLICATION_UNKNOWN'],
  ] as const)('%s', async (_, wanted, verdict, code) => {
    const engine = has('hpc/foam:1', 'evil/app:1', 'docker.io/evil/app:1');
    expect(await find(checkAskedImage(engine, site, wanted))).toMatchObject({ verdict, ...(code ? { code } : {}) });
  });
});

describe('an image that jobs may fetch', () => {
  const fetching = parseSite(`version: 1
images: {pull: missing, registries: [{host: r.example}], allowed: ["r.example/hpc/*"]}
applications: {"foam:1": {image: "r.example/hpc/foam:1"}, "own:1": {image: "hpc/own:1"}}`);

  it('need not be here', async () => {
    expect(await find(checkAskedImage(has(), fetching, { image: 'r.example/hpc/x:1' }))).toMatchObject({
      ...{ verdict: 'ok', message: 'r.example/hpc/x:1 is not here: jobs fetch it from r.example' },
      image: { isPresent: false, fetchedFrom: 'r.example' },
    });
    expect(await find(checkImages(has(), fetching))).toMatchObject({
      message: 'Images of the catalogue are not on this host: hpc/own:1.',
    });
    expect(await find(checkImages(has('hpc/own:1'), fetching))).toMatchObject({
      ...{
        verdict: 'ok',
        message: '1 images of the catalogue are here, 1 more are fetched by the jobs that want them',
      },
    });
  });

  it('is told with digest, size and platform when it is here', async () => {
    const digest = `sha256:${'d'.repeat(64)}`;
    const facts = {
      ...{ id: 'sha256:0', repoDigests: [`r.example/hpc/x@${digest}`], environment: [], architecture: 'amd64' },
      ...{ os: 'linux', volumes: [], exposedPorts: 0, configurationLength: 2, bytes: 5 },
    };
    const engine = { findImage: () => Promise.resolve(facts) };
    expect((await find(checkAskedImage(engine, fetching, { image: 'r.example/hpc/x:1' }))).image).toEqual({
      ...{ reference: 'r.example/hpc/x:1', isPresent: true, id: 'sha256:0', bytes: 5, platform: 'linux/amd64' },
      digest: `r.example/hpc/x@${digest}`,
    });
  });

  it('needs the files that site.yaml names', async () => {
    const registries = '[{host: r.example, credentialsFile: /nonexistent/login.json}]';
    const site = parseSite(`version: 1\nimages: {pull: missing, registries: ${registries}}`);
    expect(await find(checkRegistries(site))).toMatchObject({ verdict: 'fail', code: 'CONFIG_UNTRUSTED' });
    expect(await find(checkRegistries(fetching))).toMatchObject({
      verdict: 'ok',
      message: 'jobs fetch from r.example',
    });
  });
});

describe('runtime', () => {
  it('fails when the set-up has not made it', async () => {
    const found = await find(checkRuntime(async () => await findRuntime('/nonexistent')));
    expect(found).toMatchObject({ verdict: 'fail', code: 'HOST_UNFIT' });
    expect(found.hint).toContain('hpc-dockerjob-setup');
  });
});

describe('store', () => {
  const members = parseSite('version: 1\netcd: {endpoints: ["https://a:2379", "https://b:2379"]}');
  const down = new JobError({ code: 'STORE_UNREACHABLE', message: 'Could not reach it.', hint: 'See that etcd runs.' });
  const openWithout =
    (...lost: readonly string[]) =>
    ({ etcd }: SiteConfig): Promise<Store> => {
      const [endpoint = ''] = etcd.endpoints;
      const store = createMemoryStore();
      return Promise.resolve(lost.includes(endpoint) ? { ...store, read: () => Promise.reject(down) } : store);
    };

  it('is well without any etcd', async () => {
    expect(await find(checkStore(openWithout(), lax, true))).toMatchObject({ verdict: 'ok' });
  });

  it.each([
    ['all members answer', [], 'ok'],
    ['one is away', ['https://b:2379'], 'warn'],
    ['all are away', ['https://a:2379', 'https://b:2379'], 'fail'],
  ] as const)('asks each member: %s', async (_, lost, verdict) => {
    const found = await find(checkStore(openWithout(...lost), members, true));
    expect(found.verdict).toBe(verdict);
    for (const endpoint of lost) expect(found.message).toContain(endpoint);
    if (verdict === 'fail') expect(found).toMatchObject({ code: 'STORE_UNREACHABLE', hint: 'See that etcd runs.' });
  });

  const full = new JobError({ code: 'STORE_FULL', message: 'It refuses writes.', hint: 'Make room.' });
  const withHealth = (bytes: number, isFull: boolean): Store => ({
    ...createMemoryStore(),
    health: () => Promise.resolve({ bytes, isFull }),
  });

  it.each([
    ['has room', withHealth(100 * 2 ** 20, false), 'ok', '100 MiB of 2048 MiB used'],
    ['is nearly full', withHealth(1900 * 2 ** 20, false), 'warn', '1900 MiB of its quota of 2048 MiB'],
    ['has raised its alarm', withHealth(2048 * 2 ** 20, true), 'fail', 'NOSPACE'],
    ['refuses the write', { ...createMemoryStore(), commit: () => Promise.reject(full) }, 'fail', 'refuses all writes'],
    [
      'refuses the lease',
      { ...createMemoryStore(), grantLease: () => Promise.reject(full) },
      'fail',
      'refuses all writes',
    ],
    [
      'does not say how full it is',
      { ...createMemoryStore(), health: () => Promise.reject(down) },
      'ok',
      'take a write',
    ],
  ])('says whether it takes what jobs write: %s', async (_, store, verdict, text) => {
    const found = await find(checkStore(() => Promise.resolve(store), members, true));
    expect(found).toMatchObject({ verdict, message: expect.stringContaining(text) as string });
    if (verdict === 'fail') expect(found.code).toBe('STORE_FULL');
  });

  it('leaves nothing of its write, and writes nothing for a user', async () => {
    const store = createMemoryStore();
    const commit = vi.spyOn(store, 'commit');
    const all = { start: '/', end: '0' };
    await find(checkStore(() => Promise.resolve({ ...store, close: () => Promise.resolve() }), members, true));
    expect(commit).toHaveBeenCalledTimes(2);
    expect(await store.read(all)).toEqual([]);
    await find(checkStore(() => Promise.resolve({ ...store, close: () => Promise.resolve() }), members, false));
    expect(commit).toHaveBeenCalledTimes(2);
  });

  it('warns when the answers are slow', async () => {
    const slow = {
      ...createMemoryStore(),
      read: async () => await new Promise<[]>((done) => setTimeout(done, 300, [])),
    };
    expect(await find(checkStore(() => Promise.resolve(slow), members, false))).toMatchObject({ verdict: 'warn' });
  });
});

describe('certificate', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'certificate-'));
    const openssl = (...argv: readonly string[]): void =>
      void execFileSync('openssl', argv, { cwd: directory, stdio: 'ignore' });
    for (const name of ['ca', 'other', 'host']) {
      openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}-key.pem`);
      if (name !== 'host')
        openssl('req', '-x509', '-new', '-key', `${name}-key.pem`, '-subj', `/CN=${name}`, '-out', `${name}.pem`);
    }
    openssl('req', '-new', '-key', 'host-key.pem', '-subj', '/CN=host', '-out', 'host.csr');
    const sign = ['x509', '-req', '-in', 'host.csr', '-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial'];
    openssl(...sign, '-days', '100', '-out', 'host.pem');
  });
  afterAll(() => rm(directory, { recursive: true }));

  const policy = (files: Partial<SiteConfig['etcd']> = {}): SiteConfig => ({
    ...lax,
    etcd: {
      ...lax.etcd,
      endpoints: ['https://a:2379'],
      caFile: `${directory}/ca.pem`,
      certFile: `${directory}/host.pem`,
      keyFile: `${directory}/host-key.pem`,
      ...files,
    },
  });
  const inDays = (days: number) => () => Date.now() + days * 24 * 3600 * 1000;

  it('is well', async () => {
    expect(await find(checkCertificate(policy()))).toMatchObject({ verdict: 'ok' });
  });

  it.each([
    ['of another authority', () => policy({ caFile: `${directory}/other.pem` }), 'was not signed by'],
    ['of another key', () => policy({ keyFile: `${directory}/other-key.pem` }), 'does not belong to the key'],
    ['that is none', () => policy({ certFile: `${directory}/host-key.pem` }), 'is no readable certificate'],
    ['without a key', () => policy({ keyFile: `${directory}/none.pem` }), 'cannot be looked at'],
    [
      'with something else for a key',
      () => policy({ keyFile: `${directory}/ca.pem` }),
      /can be read by others|is no readable private key/,
    ],
  ] as const)('%s is wrong', async (_, make, message) => {
    const found = await find(checkCertificate(make()));
    expect(found).toMatchObject({ verdict: 'fail', code: 'CONFIG_INVALID' });
    expect(found.message).toMatch(message);
  });

  it('warns before it expires, and fails after', async () => {
    expect(await find(checkCertificate(policy(), inDays(80)))).toMatchObject({ verdict: 'warn' });
    expect(await find(checkCertificate(policy(), inDays(101)))).toMatchObject({ verdict: 'fail' });
  });

  it('is wrong when others can read the key', async () => {
    await chmod(`${directory}/host-key.pem`, 0o640);
    const found = await find(checkCertificate(policy()));
    await chmod(`${directory}/host-key.pem`, 0o600);
    expect(found).toMatchObject({
      verdict: 'fail',
      message: expect.stringContaining('can be read by others') as string,
    });
  });
});

describe('scheduler', () => {
  const silent = new JobError({ code: 'SCHEDULER_UNREACHABLE', message: 'slurmctld does not answer.' });
  const none = new JobError({ code: 'NOT_PERMITTED', message: 'Jobs of lsf are not served here.' });
  const authorities = (isOver?: SchedulerAuthority['isOver']): Pick<Authorities, 'of'> => ({
    of: (name) => {
      if (name !== 'slurm' || isOver === undefined) throw none;
      return { name, isOver } as SchedulerAuthority;
    },
  });

  it.each([
    ['answers', authorities(() => Promise.resolve(true)), undefined, 'ok', undefined],
    ['is silent', authorities(() => Promise.reject(silent)), undefined, 'fail', 'SCHEDULER_UNREACHABLE'],
    ['is not here', authorities(), undefined, 'fail', 'SCHEDULER_UNREACHABLE'],
    ['is another than asked for', authorities(() => Promise.resolve(true)), 'lsf', 'fail', 'NOT_PERMITTED'],
  ] as const)('that %s', async (_, known, asked, verdict, code) => {
    expect(await find(checkScheduler(known, asked))).toMatchObject({ verdict, ...(code ? { code } : {}) });
  });
});

describe('network', () => {
  const commands = (broken: RegExp, ports = '1024'): HostCommands => ({
    run: (name, argv, input = '') =>
      broken.test(`${[name, ...argv].join(' ')} ${input}`)
        ? Promise.reject(new JobError({ code: 'HOST_UNFIT', message: 'Operation not supported.' }))
        : Promise.resolve(''),
    readSetting: () => Promise.resolve(ports),
    findInterface: () => Promise.resolve(undefined),
  });

  it.each([
    ['all', /^nothing$/, 'ok'],
    ['no VXLAN', /type vxlan/, 'fail'],
    ['no pairs of links', /type veth/, 'fail'],
    ['no packet filter', /nft -f/, 'fail'],
  ] as const)('of a kernel with %s', async (_, broken, verdict) => {
    expect(await find(checkNetwork(commands(broken), site))).toMatchObject({ verdict });
  });

  it('fails when users may bind the ports of the kernel', async () => {
    expect(await find(checkNetwork(commands(/^nothing$/, '0'), site))).toMatchObject({ code: 'HOST_UNFIT' });
  });

  it('leaves nothing on the host: every command has a namespace of its own', async () => {
    const called: string[] = [];
    const spy = commands(/^nothing$/);
    await find(
      checkNetwork(
        { ...spy, run: async (name, argv) => (called.push([name, ...argv].join(' ')), await spy.run(name, argv)) },
        site,
      ),
    );
    expect(called.length).toBeGreaterThan(2);
    for (const call of called) expect(call).toMatch(/^unshare --(?:net|mount) -- /);
  });
});
