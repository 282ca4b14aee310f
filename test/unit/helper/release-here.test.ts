import { expect, test } from 'vitest';
import { requireJobKey } from '../../../src/contract/job-key.ts';
import type { HelperContext } from '../../../src/helper/open-context.ts';
import { releaseHere } from '../../../src/helper/release/release-here.ts';
import { networkNames } from '../../../src/network/known-networks.ts';

const job = requireJobKey('99999999');

/** A host on which the job has one container; what is asked of it, in order. */
function host(released: (name: string) => Promise<void>): { context: HelperContext; asked: string[] } {
  const asked: string[] = [];
  const engine = {
    findContainers: () => {
      asked.push('find containers');
      return Promise.resolve([{ id: 'c1', name: 'one', labels: {} }]);
    },
    removeContainer: (id: string) => Promise.resolve(void asked.push(`remove ${id}`)),
  };
  const network = (name: string) => ({
    release: async () => {
      asked.push(`release ${name}`);
      await released(name);
    },
    findLeftovers: () => Promise.resolve([`left of ${name}`]),
  });
  const caller = { kind: 'user', uid: 2001 };
  return {
    context: { caller, engine, network, audit: { record: () => undefined } } as unknown as HelperContext,
    asked,
  };
}

test('by the plan the containers go, then its own network, and nothing else is asked', async () => {
  const { context, asked } = host(() => Promise.resolve());
  expect(await releaseHere(context, job, { nodeIndex: 0, network: 'vxlan' })).toEqual([]);
  expect(asked).toEqual(['find containers', 'remove c1', 'release vxlan']);
});

test('by the plan a network that cannot be released is told', async () => {
  const { context } = host(() => Promise.reject(new Error('busy')));
  expect(await releaseHere(context, job, { network: 'vxlan' })).toEqual([expect.stringContaining('busy')]);
});

test('without a plan every kind of network is released and looked for', async () => {
  const { context, asked } = host(() => Promise.resolve());
  expect(await releaseHere(context, job)).toEqual(networkNames.map((name) => `left of ${name}`));
  expect(asked.slice(2)).toEqual(networkNames.map((name) => `release ${name}`));
});
