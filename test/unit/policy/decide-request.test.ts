import { describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { decideRequest } from '../../../src/policy/decide-request.ts';
import type { RequestToDecide } from '../../../src/policy/decide-request.ts';
import { JobError } from '../../../src/values/errors.ts';

const site = parseSite(`
version: 1
images: { allowed: ["lab/*", "registry.example:5000/hpc/**"] }
applications:
  "openfoam:2.3.0": { image: "hpc/openfoam:2.3.0", mounts: [/sw], environment: { A: "1" }, hostfile: system/machines, maxRunSeconds: 60 }
mounts:
  allowed:
    - { source: /scratch, always: true }
    - { source: /sw, target: /opt/sw, readOnly: true, always: false }
    - { source: /home, always: false }
`);
const base: RequestToDecide = { image: 'lab/mpi:1', workdir: '/scratch/alice', mounts: [], hostCount: 3 };
const refusal = (change: Partial<RequestToDecide>): JobError => {
  try {
    decideRequest(site, { ...base, ...change });
  } catch (error) {
    if (error instanceof JobError) return error;
    throw error;
  }
  throw new Error('was allowed');
};

describe('decideRequest', () => {
  it('names the rule behind each decision', () => {
    expect(decideRequest(site, base).rules).toEqual([
      { subject: 'image lab/mpi:1', decision: 'allowed', rule: 'images.allowed "lab/*"' },
      { subject: 'network of 3 hosts', decision: 'vxlan', rule: 'network.driver' },
      { subject: 'mount /scratch', decision: 'mounted at /scratch, always', rule: 'mounts.allowed "/scratch"' },
      { subject: 'workdir /scratch/alice', decision: 'visible in the container', rule: 'mounts.allowed "/scratch"' },
    ]);
  });

  it('gives an application its image, mounts, environment, host file and limit, whatever images.allowed says', () => {
    const request = { workdir: base.workdir, mounts: [], hostCount: 3 };
    expect(decideRequest(site, { ...request, application: 'openfoam:2.3.0' })).toMatchObject({
      imageReference: 'hpc/openfoam:2.3.0',
      mounts: [{ source: '/scratch' }, { source: '/sw', target: '/opt/sw', readOnly: true }],
      environment: { A: '1' },
      hostfile: 'system/machines',
      maxRunSeconds: 60,
    });
  });

  it('writes an image out in full, so that the engine cannot take its name for an id', () => {
    const open = parseSite('version: 1\nimages: { allowed: ["*"] }\nmounts: { allowed: [{source: /scratch}] }');
    expect(decideRequest(open, { ...base, image: 'beef' }).imageReference).toBe('beef:latest');
  });

  it('gives a job on one host a network that leads nowhere, whatever joins hosts', () => {
    const joined = parseSite(`
version: 1
images: { allowed: ["lab/*"] }
applications: { "app:1": { image: "lab/mpi:1", network: vxlan } }
mounts: { allowed: [{ source: /scratch }] }`);
    const { driver, rules } = decideRequest(joined, {
      ...base,
      image: undefined,
      application: 'app:1',
      hostCount: 1,
    });
    expect(driver).toBe('solo');
    expect(rules[1]).toMatchObject({ subject: 'network of 1 host', decision: 'solo' });
  });

  it.each<[string, Partial<RequestToDecide>, string, RegExp]>([
    [
      'more hosts than were ever measured',
      { hostCount: 4097 },
      'ALLOCATION_INVALID',
      /at most 4096 hosts; this one has 4097/,
    ],
    ['more hosts than a subnet holds', { hostCount: 254 }, 'ALLOCATION_INVALID', /room for 253 hosts/],
    ['no image', { image: undefined }, 'IMAGE_MISSING_IN_REQUEST', /neither APPLICATION/],
    ['an image that is not allowed', { image: 'evil/x:1' }, 'IMAGE_NOT_ALLOWED', /lab\/\*/],
    [
      'an image of another registry with an allowed path',
      { image: 'evil.example/lab/mpi:1' },
      'IMAGE_NOT_ALLOWED',
      /not allowed/,
    ],
    [
      'an unknown application',
      { image: undefined, application: 'openfoam:2.4.0' },
      'APPLICATION_UNKNOWN',
      /Did you mean "openfoam:2.3.0"/,
    ],
    [
      'a property of every object as application',
      { image: undefined, application: 'constructor' },
      'APPLICATION_UNKNOWN',
      /constructor/,
    ],
    ['both application and image', { application: 'openfoam:2.3.0' }, 'REQUEST_INVALID', /Both/],
    ['a workdir outside of all mounts', { workdir: '/home/alice' }, 'WORKDIR_UNUSABLE', /below \/scratch/],
    ['a workdir beside a mount of similar name', { workdir: '/scratch2/alice' }, 'WORKDIR_UNUSABLE', /scratch2/],
    ['a mount that is not allowed', { mounts: ['/etc'] }, 'MOUNT_NOT_ALLOWED', /\/etc may not be mounted/],
    [
      'a mount as docker writes it',
      { mounts: ['/scratch:/data:ro'] },
      'MOUNT_NOT_ALLOWED',
      /one part.*--mount \/scratch;/,
    ],
    ['a directory with a blank at its end', { mounts: ['/scratch '] }, 'MOUNT_NOT_ALLOWED', /^"\/scratch " may not/],
    ['a workdir with a blank', { workdir: '/opt/a b' }, 'WORKDIR_UNUSABLE', /directory "\/opt\/a b" is not/],
    [
      'a blank behind an image',
      { image: 'lab/mpi:1 ' },
      'IMAGE_REFERENCE_INVALID',
      /^"lab\/mpi:1 " is not .* "1 " is not a tag/,
    ],
    [
      'an image in place of an application',
      { image: undefined, application: 'lab/mpi:1' },
      'APPLICATION_UNKNOWN',
      /looks like an image: name it with --image lab\/mpi:1 /,
    ],
    ['a mount below an allowed one', { mounts: ['/scratch/bob'] }, 'MOUNT_NOT_ALLOWED', /scratch\/bob/],
  ])('refuses %s', (_, change, code, text) => {
    const error = refusal(change);
    expect(error.code).toBe(code);
    expect(error.toLine()).toMatch(text);
  });
});
