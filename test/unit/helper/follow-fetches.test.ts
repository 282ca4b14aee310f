import { expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import type { HelperEvent } from '../../../src/contract/helper-events.ts';
import { nodeFieldKey } from '../../../src/contract/kvs-keys.ts';
import { parseJobState } from '../../../src/helper/job/job-state.ts';
import type { JobState } from '../../../src/helper/job/job-state.ts';
import { followFetches } from '../../../src/helper/keeper/follow-fetches.ts';
import { makePlan } from '../../support/make-plan.ts';

const plan = makePlan({ hosts: ['c1', 'c2'] });
const site = parseSite('version: 1\nimages: {fetchSeconds: 100}');

function state(...nodes: readonly (readonly [phase: string, fetched?: string])[]): JobState {
  const entries = nodes.flatMap(([phase, fetched], index) => [
    { key: nodeFieldKey('', plan.job, index, 'PHASE'), value: phase },
    ...(fetched === undefined ? [] : [{ key: nodeFieldKey('', plan.job, index, 'FETCHED'), value: fetched }]),
  ]);
  return parseJobState('', plan.job, entries);
}

it('counts the time in which any host fetches, once, and never more than hosts may take', () => {
  let now = 0;
  const fetches = followFetches(
    site,
    plan,
    () => undefined,
    () => now,
  );
  const at = (ms: number, seen: JobState): number => {
    now = ms;
    fetches.look(seen);
    return fetches.spentMs();
  };
  expect(at(1000, state(['creating'], ['creating']))).toBe(0);
  expect(at(2000, state(['fetching'], ['creating']))).toBe(0);
  expect(at(5000, state(['fetching'], ['fetching']))).toBe(3000);
  expect(at(7000, state(['creating'], ['fetching']))).toBe(5000);
  expect(at(8000, state(['creating'], ['creating']))).toBe(6000);
  expect(at(20_000, state(['creating'], ['creating']))).toBe(6000);
  expect(at(21_000, state(['fetching'], ['creating']))).toBe(6000);
  now = 3_600_000;
  expect(fetches.spentMs()).toBe(130_000);
});

it('tells how far the hosts are, not more than once a second, and the end in any case', () => {
  let now = 0;
  const told: HelperEvent[] = [];
  const fetches = followFetches(
    site,
    plan,
    (event) => told.push(event),
    () => now,
  );
  fetches.look(state(['fetching', '0/0'], ['creating']));
  now = 500;
  fetches.look(state(['fetching', '5/10'], ['creating']));
  now = 600;
  fetches.look(state(['creating', '10/10'], ['creating']));
  now = 5000;
  fetches.look(state(['discovering', '10/10'], ['creating']));
  expect(told).toEqual([
    { event: 'fetching', hosts: [{ host: 'c1', bytes: 0, total: 0 }] },
    { event: 'fetching', hosts: [{ host: 'c1', bytes: 10, total: 10 }] },
  ]);
});

it.each(['', '1', '1/2/3', '-1/2', '1e3/2', `${'9'.repeat(16)}/1`, 'NaN/NaN'])('takes "%s" for no progress', (text) => {
  expect(state(['fetching', text]).nodes.get(0)?.fetched).toBeUndefined();
});
