import { describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import type { JobPlan } from '../../../src/contract/job-plan.ts';
import { judgePlan, planNeedsQueue } from '../../../src/policy/judge-plan.ts';
import type { HostKnowledge } from '../../../src/policy/judge-plan.ts';
import type { HostUser } from '../../../src/values/host-user.ts';
import { JobError } from '../../../src/values/errors.ts';
import { makePlan } from '../../support/make-plan.ts';

const policy = `
images: { allowed: ["lab/*", { image: "hpc/*", groups: [cfd], partitions: [gpu] }] }
applications: { "app:1": { image: "hpc/app:1", maxRunSeconds: 60, environment: { A: "1" }, hostfile: machines } }
mounts: { allowed: [{ source: /scratch }, { source: /sw, readOnly: true, always: false }] }
`;
const site = (more = ''): ReturnType<typeof parseSite> => parseSite(`version: 1\n${policy}${more}`);
const alice: HostUser = {
  ...{ name: 'alice', uid: 2001, gid: 2001, home: '/home/alice' },
  groups: [
    { gid: 2001, name: 'alice' },
    { gid: 2100, name: 'cfd' },
  ],
};
const here: HostKnowledge = { host: 'c2', user: alice, queue: undefined };
// The first subnet after 10.128.0.0 has the number 0: this one is 4, and vni 4096 + 4.
const plan = makePlan({ hosts: ['c1', 'c2'] });
const change = (changes: object): JobPlan => ({ ...plan, ...changes });
const user = (changes: object): JobPlan => change({ user: { ...plan.user, ...changes } });
const network = (changes: object): JobPlan => change({ network: { ...plan.network, ...changes } });
const judge = (changed: JobPlan, knowledge: Partial<HostKnowledge> = {}, more = ''): JobPlan =>
  judgePlan(site(more), changed, { ...here, ...knowledge });
const refusal = (run: () => unknown): JobError => {
  try {
    run();
  } catch (error) {
    if (error instanceof JobError) return error;
    throw error;
  }
  throw new Error('was allowed');
};

describe('judgePlan', () => {
  it('lets pass what this host would have planned itself', () => {
    expect(judge(plan)).toEqual({ ...plan, user: { ...plan.user, groups: [{ gid: 2001, name: 'alice' }] } });
  });

  it('takes of the groups those that both hosts know, by the names of this one', () => {
    const groups = [
      { gid: 2001, name: 'x' },
      { gid: 6, name: 'disk' },
      { gid: 2100, name: 'root\nx' },
    ];
    expect(judge(user({ groups })).user.groups).toEqual(alice.groups);
    expect(judge(user({ groups: [] })).user.groups).toEqual([{ gid: 2001, name: 'alice' }]);
    expect(judge(user({ groups, gid: 2100 })).user.gid).toBe(2100);
  });

  it('lets a mount be narrower than this host allows it, never wider', () => {
    const mounts = [...plan.mounts, { source: '/sw', target: '/sw', readOnly: true }];
    expect(judge(change({ mounts })).mounts).toEqual(mounts);
    const narrow = [{ source: '/scratch', target: '/scratch', readOnly: true }];
    expect(judge(change({ mounts: narrow })).mounts).toEqual(narrow);
  });

  it.each<[string, JobPlan, string, RegExp]>([
    ['another image', change({ image: { ...plan.image, reference: 'evil/x:1' } }), 'IMAGE_NOT_ALLOWED', /host c2/],
    [
      'a reference in another form',
      change({ image: { ...plan.image, reference: 'lab/mpi' } }),
      'HOST_UNFIT',
      /mpi:1|latest/,
    ],
    ['no image', change({ image: { ...plan.image, reference: '' } }), 'HOST_UNFIT', /No image/],
    ['an application that is not here', change({ application: 'x:1' }), 'HOST_UNFIT', /catalogue/],
    [
      'the image of another application',
      change({ application: 'app:1' }),
      'HOST_UNFIT',
      /"hpc\/app:1" here, "lab\/mpi:1"/,
    ],
    [
      'a mount that is not listed',
      change({ mounts: [...plan.mounts, { source: '/etc', target: '/mnt', readOnly: true }] }),
      'MOUNT_NOT_ALLOWED',
      /\/etc/,
    ],
    [
      'a mount elsewhere',
      change({ mounts: [{ source: '/scratch', target: '/opt', readOnly: false }] }),
      'MOUNT_NOT_ALLOWED',
      /\/scratch at \/scratch/,
    ],
    [
      'a mount that may be written to',
      change({ mounts: [...plan.mounts, { source: '/sw', target: '/sw', readOnly: false }] }),
      'MOUNT_NOT_ALLOWED',
      /read-only/,
    ],
    [
      'a mount twice',
      change({ mounts: [...plan.mounts, { source: '/scratch', target: '/opt', readOnly: false }] }),
      'HOST_UNFIT',
      /twice/,
    ],
    ['no mount', change({ mounts: [] }), 'HOST_UNFIT', /mounts\.allowed adds \/scratch/],
    ['a workdir outside', change({ workdir: '/root' }), 'HOST_UNFIT', /root/],
    ['a subnet outside of the pool', network({ cidr: '10.1.4.0/24' }), 'HOST_UNFIT', /no subnet of network\.pool/],
    ['a larger subnet', network({ cidr: '10.128.0.0/16' }), 'HOST_UNFIT', /no subnet/],
    ['a subnet with host bits', network({ cidr: '10.128.4.9/24' }), 'HOST_UNFIT', /no subnet/],
    ['another identifier', network({ vni: 4101 }), 'HOST_UNFIT', /baseId with this subnet is 4100 here, 4101/],
    ['another port', network({ port: 53 }), 'HOST_UNFIT', /vxlan\.port is 4789 here, 53/],
    ['another mtu', network({ mtu: 9000 }), 'HOST_UNFIT', /mtu/],
    ['another driver', network({ driver: 'solo' }), 'HOST_UNFIT', /network\.driver/],
    ['another port of ssh', change({ sshPort: 22 }), 'HOST_UNFIT', /ssh\.port/],
    ['another time', change({ maxRunSeconds: 9 }), 'HOST_UNFIT', /maxRunSeconds/],
    ['a host file', change({ hostfile: 'x' }), 'HOST_UNFIT', /hostfile is not set here, "x"/],
    ['another address', change({ nodes: plan.nodes.toReversed() }), 'HOST_UNFIT', /addresses/],
    [
      'too many slots',
      change({ nodes: plan.nodes.map((node) => ({ ...node, slots: 1e6 })) }),
      'HOST_UNFIT',
      /addresses/,
    ],
    ['a host twice', change({ nodes: plan.nodes.map((node) => ({ ...node, host: 'c2' })) }), 'HOST_UNFIT', /addresses/],
    ['another user', user({ uid: 2002 }), 'JOB_NOT_YOURS', /uid 2002/],
    ['a primary group that is not theirs', user({ gid: 42 }), 'JOB_NOT_YOURS', /alice in the group 42/],
    ['another name', user({ name: 'bob' }), 'HOST_UNFIT', /name is "alice" here, "bob"/],
    ['a home with a line end', user({ home: '/home/alice\nroot' }), 'HOST_UNFIT', /"\/home\/alice\\nroot"/],
  ])('refuses %s', (_, changed, code, text) => {
    const error = refusal(() => judge(changed));
    expect([error.code, error.toLine()]).toEqual([code, expect.stringMatching(text)]);
    expect(error.message).not.toMatch(/\n/);
  });

  it.each([
    ['ssh: { port: 2223 }', /ssh\.port is 2223 here, 2222 in the plan/],
    ['network: { vxlan: { baseId: 5000 } }', /baseId/],
    ['network: { pool: 10.64.0.0/12 }', /no subnet/],
    ['network: { prefixLength: 25 }', /prefixLength 25/],
  ])('names what this host says otherwise: %s', (more, text) => {
    const error = refusal(() => judge(plan, {}, more));
    expect([error.code, error.message]).toEqual(['HOST_UNFIT', expect.stringMatching(text)]);
    expect(error.message).toContain('host c2');
  });

  it('refuses more shared memory than this host gives, whatever the first host does', () => {
    const large = change({ shmBytes: 8 * 1024 ** 3 });
    expect(judge(large).shmBytes).toBe(8 * 1024 ** 3);
    const error = refusal(() => judge(large, {}, 'container: { shmMaxBytes: 4294967296 }'));
    expect([error.code, error.message]).toEqual(['SHM_NOT_ALLOWED', expect.stringContaining('this site allows 4 GiB')]);
  });

  it('asks for the queue only where a rule for this very request does', () => {
    const ofGpu = change({ image: { ...plan.image, reference: 'hpc/x:1' } });
    expect([planNeedsQueue(site(), plan), planNeedsQueue(site(), ofGpu)]).toEqual([false, true]);
    expect(refusal(() => judge(ofGpu, { queue: 'lab' })).code).toBe('IMAGE_NOT_ALLOWED');
    expect(refusal(() => judge(ofGpu, { queue: undefined })).code).toBe('IMAGE_NOT_ALLOWED');
    expect(judge(ofGpu, { queue: 'gpu' }).image.reference).toBe('hpc/x:1');
    const outsider = { ...alice, groups: [] };
    expect(refusal(() => judge(ofGpu, { queue: 'gpu', user: outsider })).code).toBe('IMAGE_NOT_ALLOWED');
  });
});
