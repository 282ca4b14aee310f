import { expect, test } from 'vitest';
import { jobTableName } from '../../../src/network/job-table.ts';
import { planTunnel } from '../../../src/network/vxlan/tunnel.ts';
import { describeVxlanFilter } from '../../../src/network/vxlan/filter.ts';
import { findEarlierLink } from '../../../src/network/vxlan/earlier-link.ts';
import { describeAddresses, describeForwarding, describeLink, linkName } from '../../../src/network/vxlan/link.ts';
import { requireJobKey } from '../../../src/contract/job-key.ts';
import type { JobPlan, PlannedNode } from '../../../src/contract/job-plan.ts';
import { networkPlan } from '../../support/network-plan.ts';

const plan = networkPlan('vxlan', ['192.0.2.1', '192.0.2.2', '192.0.2.3']);
const first = plan.nodes[0]!;

test('knows its own end and those of all others', () => {
  const { own, peers } = planTunnel(plan, first);
  expect(own.hostAddress).toBe('192.0.2.1');
  expect(peers.map(({ hostAddress }) => hostAddress)).toEqual(['192.0.2.2', '192.0.2.3']);
});

function withNode(index: number, changes: Partial<PlannedNode>): JobPlan {
  return { ...plan, nodes: plan.nodes.map((node) => (node.index === index ? { ...node, ...changes } : node)) };
}

test.each([
  ['a node without a host address', withNode(1, { hostAddress: undefined })],
  ['a host address that is a rule', withNode(1, { hostAddress: '192.0.2.2 } accept; #' })],
  ['a MAC address that is an option', withNode(1, { mac: '02:68:0a:80:04:02 dst 1.2.3.4' })],
  ['an address outside of the subnet', withNode(1, { ip: '10.129.0.2' })],
  ['one address twice', withNode(1, { ip: first.ip })],
  ['one MAC address twice', withNode(1, { mac: first.mac })],
  ['one host twice', withNode(1, { hostAddress: '192.0.2.1' })],
  ['a network identifier of 0', { ...plan, network: { ...plan.network, vni: 0 } }],
  ['a subnet that is none', { ...plan, network: { ...plan.network, cidr: '10.128.4.0/99' } }],
])('refuses %s', (_, bad) => {
  expect(() => planTunnel(bad, bad.nodes[0]!)).toThrow(expect.objectContaining({ code: 'HOST_UNFIT' }) as Error);
});

test('writes one neighbour and one forwarding entry per peer, and none for everybody', () => {
  const tunnel = planTunnel(plan, first);
  expect(describeAddresses(tunnel).match(/^neighbour .* nud permanent /gm)).toHaveLength(2);
  expect(describeForwarding(tunnel).split('\n').filter(Boolean)).toEqual([
    'fdb replace 02:68:0a:80:04:02 dev eth0 dst 192.0.2.2 self permanent',
    'fdb replace 02:68:0a:80:04:03 dev eth0 dst 192.0.2.3 self permanent',
  ]);
  expect(describeForwarding(tunnel)).not.toContain('00:00:00:00:00:00');
  expect(describeLink(tunnel, '/run/ns', 'eth0')).toContain('nolearning');
});

test('lets nobody in when there is no peer', () => {
  const alone = networkPlan('vxlan', ['192.0.2.1']);
  expect(describeVxlanFilter(planTunnel(alone, alone.nodes[0]!))).not.toMatch(/\baccept$/m);
});

test('names a table after the job', () => {
  expect(jobTableName(requireJobKey('772_3'))).toBe('hpcdj_772_3');
});

test('makes the link under a name that hosts do not have, and renames it before anything else', () => {
  const tunnel = planTunnel(plan, first);
  const link = describeLink(tunnel, '/run/ns', 'ens3');
  expect(link).toEqual(expect.arrayContaining(['name', 'hpcdjv1004']));
  expect(link).not.toContain('eth0');
  expect(describeAddresses(tunnel)).toMatch(/^link set dev hpcdjv1004 name eth0\n/);
  // The kernel's limit.
  expect(linkName({ vni: 0xff_ff_ff }).length).toBeLessThanOrEqual(15);
});

const ours = {
  ...{ ifname: 'eth0', address: first.mac },
  linkinfo: { info_kind: 'vxlan', info_data: { id: 4100, local: '192.0.2.1', port: 4789 } },
};

test.each([
  ['renamed', ours, 'eth0'],
  ['not yet renamed', { ...ours, ifname: 'hpcdjv1004' }, 'hpcdjv1004'],
  ['of another name', { ...ours, ifname: 'eth1' }, undefined],
])('knows the link of an earlier try: %s', (_, link, name) => {
  expect(findEarlierLink(JSON.stringify([{ ifname: 'lo' }, link]), planTunnel(plan, first))).toBe(name);
});

const withData = (changes: object): object => ({
  ...ours,
  linkinfo: { ...ours.linkinfo, info_data: { ...ours.linkinfo.info_data, ...changes } },
});

test.each([
  ['a veth', { ...ours, linkinfo: { info_kind: 'veth' } }],
  ['a device of no kind', { ifname: 'eth0', address: first.mac }],
  ['another identifier', withData({ id: 4101 })],
  ['another end', withData({ local: '192.0.2.2' })],
  ['another port', withData({ port: 8472 })],
  ['another MAC address', { ...ours, address: '02:68:0a:80:04:02' }],
])('takes no link of somebody else for an earlier try: %s', (_, link) => {
  expect(() => findEarlierLink(JSON.stringify([link]), planTunnel(plan, first))).toThrow(/not this job's/);
});
