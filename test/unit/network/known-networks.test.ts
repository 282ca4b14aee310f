import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { networkNames, planNetwork, plannedNumbers, plannedShape } from '../../../src/network/known-networks.ts';
import { makePlan } from '../../support/make-plan.ts';

const source = new URL('../../../src/', import.meta.url);

const filesBelow = (directory: URL): readonly string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => `${parentPath}/${name}`);

it('has a line for every folder, and a folder for every line', () => {
  const entries = readdirSync(new URL('network/', source), { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  expect(folders.sort()).toEqual([...networkNames].sort());
});

it('is where kinds of networks are named: nothing else of the source says one, or a word of its plan', () => {
  // The agent has a port, too.
  const planned = Object.keys(plannedShape).filter((key) => key !== 'port');
  const words = new RegExp([...networkNames, ...planned.map((key) => `\\b${key}\\b`)].join('|'), 'i');
  const outside = filesBelow(source).filter((file) => !file.includes('/src/network/'));
  expect(outside.length).toBeGreaterThan(300);
  const named = outside.flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((line, index) => (words.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [])),
  );
  expect(named).toEqual([]);
});

it('writes the section of a plan as it always was', () => {
  const { network } = parseSite('version: 1\nnetwork: { vxlan: { port: 8472, baseId: 100 } }');
  expect(planNetwork(network, 4)).toEqual({ vni: 104, port: 8472 });
  expect(JSON.stringify(makePlan({ hosts: ['c1', 'c2'] }).network)).toBe(
    '{"driver":"vxlan","cidr":"10.128.4.0/24","vni":4100,"port":4789,"mtu":0}',
  );
});

it('has one name for one number of a plan', () => {
  expect(plannedNumbers.map(([key]) => key)).toEqual(Object.keys(plannedShape));
});
