import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { formatPlan, parsePlan } from '../../../src/contract/plan-text.ts';
import { mostPlanBytes } from '../../../src/contract/request-budget.ts';
import { mostListedNodes } from '../../../src/contract/roster-text.ts';
import { makeScalePlan } from '../../../bench/discovery/scale-plan.ts';

const pack = (columns: unknown): string => deflateRawSync(JSON.stringify(columns)).toString('base64');

describe('the text of a plan', () => {
  it('is the plan itself for a job that operators look at', () => {
    const plan = makeScalePlan('12', mostListedNodes);
    expect(JSON.parse(formatPlan(plan))).toEqual(plan);
    expect(parsePlan(formatPlan(plan))).toEqual(plan);
  });

  it.each([mostListedNodes + 1, 10_000])(
    'has the %d nodes of a large job packed, and reads the same again',
    (count) => {
      const plan = makeScalePlan('12', count);
      const text = formatPlan(plan);
      expect(text.length).toBeLessThan(2000 + count * 12);
      expect(text.length).toBeLessThan(mostPlanBytes);
      expect(parsePlan(text)).toEqual(plan);
      expect(formatPlan(parsePlan(text))).toBe(text);
    },
  );

  it('stays as it is where an address does not follow from the place', () => {
    const plan = makeScalePlan('12', 300);
    const odd = { ...plan, nodes: plan.nodes.map((node) => (node.index === 7 ? { ...node, ip: '10.9.9.9' } : node)) };
    expect(parsePlan(formatPlan(odd))).toEqual(odd);
  });

  const usual = { hosts: ['c1', 'c2'], addresses: ['192.0.2.1', ''], slots: [1, 2] };
  it.each([
    ['fewer nodes than it says', { count: 3, packed: pack(usual) }],
    ['columns of different length', { count: 2, packed: pack({ ...usual, slots: [1] }) }],
    [
      'more nodes than the subnet has addresses',
      {
        count: 70_000,
        packed: pack({
          hosts: Array(70_000).fill('c'),
          addresses: Array(70_000).fill(''),
          slots: Array(70_000).fill(1),
        }),
      },
    ],
    ['a host that is none', { count: 2, packed: pack({ ...usual, hosts: ['c1', 'c2\nroot'] }) }],
    [
      'a gigabyte in a few bytes',
      { count: 2, packed: deflateRawSync(Buffer.alloc(64 * 1024 * 1024, 0x20)).toString('base64') },
    ],
    ['rubbish', { count: 2, packed: 'AAAA' }],
  ])('is refused with %s', (_, nodes) => {
    const plan = makeScalePlan('12', 2);
    expect(() => parsePlan(JSON.stringify({ ...plan, nodes }))).toThrow();
    const fine = JSON.stringify({ ...plan, nodes: { count: 2, packed: pack(usual) } });
    expect(parsePlan(fine).nodes.map(({ host, slots }) => [host, slots])).toEqual([
      ['c1', 1],
      ['c2', 2],
    ]);
  });
});
