import { expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { machineCases } from '../../../lab/machine/cases.ts';
import {
  cgroupUses,
  guestPlaces,
  renderHosts,
  renderNetworkUnits,
  renderSite,
  renderSlurmConf,
} from '../../../lab/machine/guest-files.ts';
import { releases } from '../../../lab/machine/releases.ts';
import { renderVerdicts } from '../../../lab/machine/verdicts.ts';

it('writes a table with a row for each verdict, whatever its reason holds', () => {
  const row = { machine: 'debian12 x1', name: 'suspend', seconds: 61.6 };
  const table = renderVerdicts([
    { ...row, isGreen: true, reason: '' },
    { ...row, name: 'cancel', isGreen: false, reason: 'left: a | b\nand more' },
  ]);
  expect(table.split('\n')).toEqual([
    '| machine | case | verdict | seconds | reason |',
    '| --- | --- | --- | ---: | --- |',
    '| debian12 x1 | suspend | green | 62 |  |',
    '| debian12 x1 | cancel | RED | 62 | left: a / b and more |',
    '',
    '1 green, 1 red',
    '',
  ]);
});

it.each(Object.entries(cgroupUses))('gives guests a policy that the product takes: %s', (_, use) => {
  expect(parseSite(renderSite('https://node1:2379', use)).etcd.endpoints).toEqual(['https://node1:2379']);
});

it('gives every guest a link, an address and a name of its own', () => {
  expect(
    new Set(guestPlaces.flatMap(({ name, address, mac, controlMac }) => [name, address, mac, controlMac])).size,
  ).toBe(8);
  for (const { name, address } of guestPlaces) {
    expect(renderHosts()).toContain(`${address} ${name}\n`);
    expect(renderNetworkUnits().some(([, text]) => text.includes(`Address=${address}/24`))).toBe(true);
  }
});

it('has the epilog in the configuration of every release, and the words of its Slurm', () => {
  const [older, newer] = releases.map((release) => renderSlurmConf(release, guestPlaces, '/opt/epilog'));
  expect(older).toContain('\nEpilog=/opt/epilog\n');
  expect(older).toContain('\nCryptoType=crypto/munge\n');
  expect(newer).toContain('\nCredType=cred/munge\n');
  expect(newer).toContain('Nodes=node1,node2 ');
});

it('names each case once', () => {
  expect(new Set(machineCases.map(({ name }) => name)).size).toBe(machineCases.length);
});
