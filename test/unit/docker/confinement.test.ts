import { expect, test } from 'vitest';
import { findConfinementFaults } from '../../../src/docker/verify-confinement.ts';

const expected = { uid: 2001, gid: 2002, supplementaryGids: [3001] };
const none = '0000000000000000';
const good = [
  'Name:\tnode',
  'Uid:\t2001\t2001\t2001\t2001',
  'Gid:\t2002\t2002\t2002\t2002',
  'Groups:\t2002 3001 ',
  ...['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((set) => `${set}:\t${none}`),
  'NoNewPrivs:\t1',
  'Seccomp:\t2',
  'Seccomp_filters:\t1',
].join('\n');

test('finds no fault in a confined process', () => {
  expect(findConfinementFaults(good, expected)).toEqual([]);
  expect(findConfinementFaults(good.replace('2002 3001', ''), expected)).toEqual([]);
});

test.each([
  ['another user', 'Uid:\t2001\t2001', 'Uid:\t2001\t0', 'uid'],
  ['another group', 'Gid:\t2002', 'Gid:\t0', 'gid'],
  ['a strange group', '2002 3001', '2002 3001 42', 'groups 42'],
  ['a capability in the bounding set', `CapBnd:\t${none}`, 'CapBnd:\t0000000000002000', 'CapBnd'],
  ['a missing capability line', `CapAmb:\t${none}\n`, '', 'CapAmb'],
  ['no no-new-privileges', 'NoNewPrivs:\t1', 'NoNewPrivs:\t0', 'no-new-privileges'],
  ['no seccomp', 'Seccomp:\t2', 'Seccomp:\t0', 'seccomp'],
])('names %s', (_, from, to, named) => {
  const faults = findConfinementFaults(good.replace(from, to), expected);
  expect(faults).toHaveLength(1);
  expect(faults[0]).toContain(named);
});

test('finds every fault in an empty text', () => {
  expect(findConfinementFaults('', expected)).toHaveLength(5);
});
