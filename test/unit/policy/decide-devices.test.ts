import { describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { decideRequest } from '../../../src/policy/decide-request.ts';
import { asJobError } from '../../../src/values/errors.ts';

const site = parseSite(`
version: 1
images: {allowed: ["lab/*"]}
mounts: {allowed: [{source: /scratch}]}
devices:
  allowed:
    - {name: infiniband, nodes: [/dev/infiniband/uverbs*], always: true}
    - {name: fpga, nodes: [/dev/fpga0], groups: [cfd]}
    - {name: quantum, nodes: [/dev/quantum], partitions: [lab]}
applications:
  "solver:1": {image: "lab/mpi:1", devices: [fpga]}
`);
const alice = { name: 'alice', uid: 2001, groups: [{ name: 'cfd', gid: 2100 }] };
const bob = { name: 'bob', uid: 2002, groups: [] };
const request = { image: 'lab/mpi:1', workdir: '/scratch', mounts: [], hostCount: 1 };

function devicesFor(more: object, user = alice, queue?: string): readonly string[] | string {
  try {
    return decideRequest(site, { ...request, ...more }, { user, queue }).devices;
  } catch (thrown) {
    const { code, rule } = asJobError(thrown);
    return `${code} by ${rule}`;
  }
}

describe('the devices of a job are', () => {
  it.each([
    ['those that all get', {}, alice, undefined, ['infiniband']],
    ['one more that a member of its group asks for', { devices: ['fpga'] }, alice, undefined, ['infiniband', 'fpga']],
    ['none for others', { devices: ['fpga'] }, bob, undefined, 'DEVICE_NOT_ALLOWED by devices.allowed "fpga".groups'],
    [
      'none of a name that the site has not',
      { devices: ['mem'] },
      alice,
      undefined,
      'DEVICE_NOT_ALLOWED by devices.allowed',
    ],
    ['those of its partition', { devices: ['quantum'] }, bob, 'lab', ['infiniband', 'quantum']],
    [
      'none in another partition',
      { devices: ['quantum'] },
      bob,
      'gpu',
      'DEVICE_NOT_ALLOWED by devices.allowed "quantum".partitions',
    ],
    [
      'those of its application',
      { image: undefined, application: 'solver:1' },
      alice,
      undefined,
      ['infiniband', 'fpga'],
    ],
    [
      'none of an application for those whom they are not for',
      { image: undefined, application: 'solver:1' },
      bob,
      undefined,
      'DEVICE_NOT_ALLOWED by devices.allowed "fpga".groups',
    ],
  ])('%s', (_name, more, user, queue, expected) => {
    expect(devicesFor(more, user, queue)).toEqual(expected);
  });

  it('named with the rule that gives them', () => {
    const { rules } = decideRequest(site, request, { user: bob, queue: undefined });
    expect(rules).toContainEqual({
      subject: 'devices infiniband',
      decision: '/dev/infiniband/uverbs* of each host, always, where a host has them',
      rule: 'devices.allowed "infiniband"',
    });
  });
});
