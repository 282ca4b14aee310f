/**
 * `explain`, `policy test`, `open-job` and every host give one verdict by one rule, whatever the site says and whoever asks
 * for what.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import type { SiteConfig } from '../../../src/config/site-schema.ts';
import { jobPlanSchema } from '../../../src/contract/job-plan.ts';
import type { JobPlan } from '../../../src/contract/job-plan.ts';
import { requireJobKey } from '../../../src/contract/job-key.ts';
import type { JobRequest } from '../../../src/contract/job-request.ts';
import { decidePlan } from '../../../src/helper/keeper/decide-plan.ts';
import type { PolicyCase } from '../../../src/middleware/policy/case-schema.ts';
import { judgeAsked } from '../../../src/middleware/policy/judge-asked.ts';
import { judgeCase } from '../../../src/middleware/policy/judge-case.ts';
import { readRequest } from '../../../src/middleware/read-request.ts';
import { decideForAnybody, decideRequest } from '../../../src/policy/decide-request.ts';
import type { Decision } from '../../../src/policy/decide-request.ts';
import { judgePlan, planNeedsQueue } from '../../../src/policy/judge-plan.ts';
import type { Admission } from '../../../src/policy/requester.ts';
import type { HostUser } from '../../../src/values/host-user.ts';
import type { JobError } from '../../../src/values/errors.ts';
import { asJobError } from '../../../src/values/errors.ts';
import { subnetAt, subnetCount } from '../../../src/values/subnet.ts';
import { seed } from '../../support/hostile-bytes.ts';

const some = <T>(...values: readonly T[]): fc.Arbitrary<T[]> => fc.subarray([...values]);
const admission = {
  users: some('alice', '2002'),
  groups: some('cfd', '2001', 'admin'),
  partitions: some('gpu'),
  queues: some('lab', 'gpu'),
};
const nobodyBarred: Admission = { users: [], groups: [], partitions: [], queues: [] };
/** Mostly without conditions, so that enough is allowed. */
const conditions: fc.Arbitrary<Admission> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(nobodyBarred) },
  { weight: 1, arbitrary: fc.record(admission) },
);
const sources = ['/scratch', '/home', '/sw'] as const;
const defaults = parseSite('version: 1\netcd: {endpoints: ["https://etcd1:2379"]}\napplications: {x: {image: x}}\n');
const usualApplication = defaults.applications['x']!;

type Device = SiteConfig['devices']['allowed'][number];
const device: fc.Arbitrary<Device> = fc
  .tuple(fc.constantFrom('fabric', 'fpga'), fc.boolean(), conditions)
  .map(([name, always, more]) => ({ name, nodes: [`/dev/${name}*`], gres: '', always, ...mutable(more) }));

type Mount = SiteConfig['mounts']['allowed'][number];
const mount: fc.Arbitrary<Mount> = fc
  .tuple(fc.constantFrom(...sources), fc.boolean(), fc.boolean(), fc.constantFrom('', '/in'), conditions)
  .map(([source, readOnly, always, below, more]) => ({
    ...{ source, target: `${below}${source}`, readOnly, always },
    ...mutable(more),
  }));
const usualMount: Mount = {
  ...{ source: '/scratch', target: '/scratch', readOnly: false, always: true },
  ...mutable(nobodyBarred),
};

const sites: fc.Arbitrary<SiteConfig> = fc
  .record({
    patterns: fc.array(
      fc.tuple(fc.constantFrom('**', 'lab/*', '**', 'lab/mpi', 'hpc/**:1', 'r.example:5000/*'), conditions),
      { minLength: 1, maxLength: 4 },
    ),
    allowed: fc.oneof(
      { weight: 2, arbitrary: fc.constant<Mount[]>([usualMount]) },
      { weight: 1, arbitrary: fc.uniqueArray(mount, { selector: ({ source }) => source, maxLength: 3 }) },
    ),
    devices: fc.uniqueArray(device, { selector: ({ name }) => name, maxLength: 2 }),
    applications: fc.dictionary(
      fc.constantFrom('a:1', 'b:1', 'constructor'),
      fc.tuple(fc.constantFrom('lab/mpi:1', 'hpc/x', 'evil/y:2'), some(...sources), fc.nat(100), conditions),
    ),
    network: fc.record({ prefixLength: fc.constantFrom(24, 25, 29), mtu: fc.constantFrom(0, 1450) }),
    vxlan: fc.record({ port: fc.constantFrom(4789, 8472), baseId: fc.constantFrom(1, 4096) }),
    ssh: fc.record({ port: fc.constantFrom(2222, 2022) }),
  })
  .map(({ patterns, allowed, devices, applications, network, vxlan, ssh }) => ({
    ...defaults,
    images: { ...defaults.images, allowed: patterns.map(([image, more]) => ({ image, ...mutable(more) })) },
    mounts: { allowed },
    devices: { allowed: devices },
    applications: Object.fromEntries(
      Object.entries(applications).map(([name, [image, wanted, maxRunSeconds, more]]) => {
        // As `config check` demands it.
        const mounts = wanted.filter((each) => allowed.some(({ source }) => source === each));
        const own = devices.filter((_, index) => (maxRunSeconds + index) % 4 === 0).map((each) => each.name);
        return [name, { ...usualApplication, image, maxRunSeconds, mounts, devices: own, ...mutable(more) }];
      }),
    ),
    network: { ...defaults.network, ...network, vxlan },
    ssh,
  }));

function mutable({ users, groups, partitions, queues }: Admission): Record<keyof Admission, string[]> {
  return { users: [...users], groups: [...groups], partitions: [...partitions], queues: [...queues] };
}

const users: fc.Arbitrary<HostUser> = fc
  .tuple(fc.constantFrom('alice', 'bob'), some({ gid: 2100, name: 'cfd' }, { gid: 10, name: 'admin' }))
  .map(([name, more]) => {
    const uid = name === 'alice' ? 2001 : 2002;
    return { name, uid, gid: uid, home: `/home/${name}`, groups: [{ gid: uid, name }, ...more] };
  });

const requests = fc
  .record({
    what: fc.oneof(
      fc.record({
        image: fc.constantFrom(
          'lab/mpi:1',
          'lab/mpi:1',
          'lab/mpi',
          'hpc/x/y:1',
          'evil/y:2',
          'beef',
          'r.example:5000/z',
        ),
      }),
      fc.record({ application: fc.constantFrom('a:1', 'b:1', 'constructor', 'c') }),
    ),
    mounts: fc.oneof(
      some<string>('/scratch'),
      some<string>('/scratch', '/home'),
      some<string>('/scratch', '/home', '/sw', '/etc'),
    ),
    devices: fc.constantFrom<string[][]>([], [], [], ['fabric'], ['fabric', 'fpga'], ['mem']),
    workdir: fc.constantFrom('/scratch/x', '/scratch/y', '/scratch/z', '/scratch', '/in/scratch/x', '/home', '/tmp'),
    hosts: fc.integer({ min: 1, max: 6 }),
  })
  .map(({ what, mounts, devices, workdir, hosts }): JobRequest => ({
    ...{ protocol: 1, launchId: '0'.repeat(16), scheduler: 'slurm', schedulerJobId: '12', job: requireJobKey('12') },
    hosts: Array.from({ length: hosts }, (_, index) => ({ name: `c${index}`, slots: index + 1 })),
    ...what,
    ...{
      command: { kind: 'argv', argv: ['true'] },
      workdir,
      environment: { A: 'x' },
      offered: {},
      umask: 0o022,
      input: false,
      mounts,
      devices,
    },
  }));

const queues = fc.constantFrom('lab', 'gpu', undefined);
const everything = fc.tuple(sites, requests, users, queues, fc.nat());

/** What becomes of it: a code with its rule, or what was decided. */
function verdictOf<T>(judge: () => T): T | string {
  try {
    return judge();
  } catch (thrown) {
    return nameOf(asJobError(thrown));
  }
}

function nameOf({ code, rule }: JobError): string {
  return `${code} by ${rule ?? 'no rule'}`;
}

/** As `explain` judges what a user asks for on a command line. */
function explain(site: SiteConfig, request: JobRequest, user: HostUser, queue: string | undefined): Decision {
  const { scheduler, schedulerJobId, job, hosts, image, application, workdir, mounts, devices } = request;
  const allocation = { scheduler, schedulerJobId, job, hosts };
  const options = {
    ...(image === undefined ? {} : { image }),
    ...(application === undefined ? {} : { application }),
    ...{ workdir, mount: mounts, device: devices, env: ['A=x'] },
  };
  const asked = readRequest(options, ['true'], {}, '/');
  return judgeAsked(site, allocation, asked, { user, queue }).decision;
}

/** As `policy test` judges a case with the user of this host's database, or with the same groups written down. */
async function test(
  site: SiteConfig,
  { image, application, workdir, mounts, devices, hosts }: JobRequest,
  user: HostUser,
  queue: string | undefined,
  isWritten: boolean,
): Promise<readonly string[] | string> {
  const each: PolicyCase = {
    ...{ name: 'x', expect: 'allowed', image, application, workdir, mounts, devices, hosts: hosts.length, queue },
    ...(isWritten ? { user: user.name, groups: user.groups.map(({ name }) => name) } : { user: String(user.uid) }),
  };
  const verdict = await judgeCase(site, each, {
    findUser: () => Promise.resolve(user),
    findGroup: (text) => Promise.resolve(user.groups.find(({ name }) => name === text)),
  });
  return verdict.verdict === 'allowed' ? verdict.rules : nameOf(verdict.error);
}

/** As `open-job` does: an image that nobody may have is refused before it is known who asks. */
function open(site: SiteConfig, request: JobRequest, user: HostUser, queue: string | undefined): Decision {
  const wanted = { ...request, hostCount: request.hosts.length };
  const imageReference = decideForAnybody(site, wanted);
  const decision = decideRequest(site, wanted, { user, queue });
  expect(decision.imageReference).toBe(imageReference);
  return decision;
}

function plan(site: SiteConfig, request: JobRequest, user: HostUser, decision: Decision, seed: number): JobPlan {
  const { pool, prefixLength } = site.network;
  const index = seed % subnetCount(pool, prefixLength);
  const facts = {
    ...{
      site,
      request,
      decision,
      user,
      image: { facts: { id: `sha256:${'a'.repeat(64)}`, environment: [] }, digest: undefined },
      token: '0'.repeat(32),
    },
    confirmed: { job: request.job, schedulerJobId: '12', uid: user.uid, hosts: request.hosts.map(({ name }) => name) },
    hostAddresses: request.hosts.map((_, position) => `192.0.2.${position + 1}`),
    subnet: { cidr: subnetAt(pool, prefixLength, index), index },
  };
  return jobPlanSchema.parse(JSON.parse(JSON.stringify(decidePlan(facts))));
}

function judge(site: SiteConfig, planned: JobPlan, user: HostUser, queue: string | undefined): JobPlan {
  return judgePlan(site, planned, { host: 'c1', user, queue: planNeedsQueue(site, planned) ? queue : undefined });
}

/** The site as somebody would like to have it who may not do all that he wants. */
function openUp(site: SiteConfig): SiteConfig {
  const forAll = mutable(nobodyBarred);
  const images = ['**', 'r.example:5000/**'].map((image) => ({ image, ...forAll }));
  const missing = ['/scratch', '/home', '/sw', '/etc', '/tmp']
    .filter((source) => !site.mounts.allowed.some((mount) => mount.source === source))
    .map((source) => ({ source, target: source, readOnly: false, always: source === '/tmp', ...forAll }));
  return {
    ...site,
    images: { ...site.images, allowed: images },
    mounts: { allowed: [...site.mounts.allowed.map((mount) => ({ ...mount, ...forAll })), ...missing] },
    devices: {
      allowed: ['fabric', 'fpga', 'mem'].map((name) => ({
        name,
        nodes: ['/dev/*'],
        gres: '',
        always: true,
        ...forAll,
      })),
    },
    applications: Object.fromEntries(
      Object.entries(site.applications).map(([name, entry]) => [name, { ...entry, ...forAll }]),
    ),
  };
}

const runs = { numRuns: 300, seed };

describe('one engine', () => {
  it('decides alike, and by the same rule, for explain, policy test and open-job', async () => {
    const seen = { allowed: 0, refused: new Set<string>() };
    await fc.assert(
      fc.asyncProperty(everything, fc.boolean(), async ([site, request, user, queue], isWritten) => {
        const explained = verdictOf(() => explain(site, request, user, queue));
        expect(verdictOf(() => open(site, request, user, queue))).toEqual(explained);
        const tested = await test(site, request, user, queue, isWritten);
        expect(tested).toEqual(typeof explained === 'string' ? explained : explained.rules.map(({ rule }) => rule));
        if (typeof explained === 'string') seen.refused.add(explained);
        else seen.allowed += 1;
      }),
      runs,
    );
    expect(seen.allowed).toBeGreaterThan(10);
    // Each list of an entry was the one that refused.
    for (const list of ['users', 'groups', 'partitions', 'queues'])
      expect([...seen.refused]).toContainEqual(expect.stringMatching(new RegExp(`by .*[.]${list}$`)));
  });

  it('lets every host carry out what open-job has allowed, unchanged', () => {
    let allowed = 0;
    fc.assert(
      fc.property(everything, ([site, request, user, queue, seed]) => {
        const decision = verdictOf(() => open(site, request, user, queue));
        if (typeof decision === 'string') return;
        allowed += 1;
        const planned = plan(site, request, user, decision, seed);
        expect(judge(site, planned, user, queue)).toEqual(planned);
      }),
      runs,
    );
    expect(allowed).toBeGreaterThan(10);
  });

  it('has every host refuse a plan that was made for what explain refuses', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(everything, ([site, request, user, queue, seed]) => {
        const explained = verdictOf(() => explain(site, request, user, queue));
        if (typeof explained !== 'string') return;
        const forged = verdictOf(() => open(openUp(site), request, user, queue));
        if (typeof forged === 'string') return;
        const verdict = verdictOf(() => judge(site, plan(site, request, user, forged, seed), user, queue));
        expect(typeof verdict).toBe('string');
        const isPolicy = /^(?:IMAGE|APPLICATION|MOUNT)_NOT_ALLOWED by/.test(explained);
        const isOther = typeof verdict === 'string' && !verdict.startsWith('MOUNT_NOT_ALLOWED');
        if (isPolicy && isOther) expect(verdict).toBe(explained);
        const [code = ''] = explained.split(' ');
        seen.set(code, (seen.get(code) ?? 0) + 1);
      }),
      runs,
    );
    expect([...seen.keys()]).toEqual(
      expect.arrayContaining(['IMAGE_NOT_ALLOWED', 'APPLICATION_NOT_ALLOWED', 'MOUNT_NOT_ALLOWED', 'WORKDIR_UNUSABLE']),
    );
  });
});
