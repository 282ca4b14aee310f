/** A job of more nodes than ROSTER lists: what the keeper publishes, and what each node learns from it. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { makeScalePlan } from '../../../bench/discovery/scale-plan.ts';
import { parseSite } from '../../../src/config/parse-site.ts';
import type { AgentMessage, HelperMessage } from '../../../src/contract/agent-protocol.ts';
import type { KeyRange } from '../../../src/contract/kvs-keys.ts';
import { nodeFieldKey } from '../../../src/contract/kvs-keys.ts';
import { formatPlan } from '../../../src/contract/plan-text.ts';
import { formatRoster, mostListedNodes, parseRoster } from '../../../src/contract/roster-text.ts';
import { gatherRoster } from '../../../src/helper/job/gather-roster.ts';
import { keepJob } from '../../../src/helper/keeper/keep-job.ts';
import { answerAsks } from '../../../src/helper/node/answer-asks.ts';
import { findPeers } from '../../../src/helper/node/find-peers.ts';
import type { OwnNode } from '../../../src/helper/node/own-node.ts';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import type { Store } from '../../../src/ports/store.ts';
import { JobError } from '../../../src/values/errors.ts';
import { jobStoreIn } from '../../support/job-store.ts';

const count = mostListedNodes + 1;
const plan = makeScalePlan('12', count);
const keyOf = (index: number, kind: string): string => `ssh-ed25519 ${`${kind}${index}`.padEnd(68, 'A')}`;

let store: Store;
let cancel: AbortController;

beforeEach(async () => {
  store = createMemoryStore();
  cancel = new AbortController();
  await put({ '/12/PLAN': formatPlan(plan), '/12/FINISH': 'FALSE' });
  for (const { index } of plan.nodes)
    await put({
      [nodeFieldKey('', plan.job, index, 'SSHPUBKEY')]: keyOf(index, 's'),
      [nodeFieldKey('', plan.job, index, 'HOSTKEY')]: keyOf(index, 'h'),
    });
});

const put = async (values: Record<string, string>) =>
  await store.commit({ puts: Object.entries(values).map(([key, value]) => ({ key, value })) });

const rosterText = async (): Promise<string> =>
  formatRoster(gatherRoster(plan, await jobStoreIn(store, plan).read('nodes')) ?? []);

/** A node's helper, as far as it looks for others. */
function nodeOf(index: number, within: Store = store): OwnNode {
  const followed = { until: () => new Promise<never>(() => undefined), stop: () => undefined };
  return { jobStore: jobStoreIn(within, plan), plan, node: plan.nodes[index]!, followed } as unknown as OwnNode;
}

describe('the roster of a large job', () => {
  it('is published as a mark with the keys of node 0, however many nodes there are', async () => {
    const site = parseSite('version: 1\ndeadlines: {startSeconds: 5, discoverSeconds: 5}');
    const kept = keepJob({
      jobStore: jobStoreIn(store, plan),
      site,
      plan,
      cancelled: cancel.signal,
      emit: () => undefined,
    });
    const text = await vi.waitFor(async () => {
      const value = await jobStoreIn(store, plan).readField('ROSTER');
      expect(value).toBeDefined();
      return value ?? '';
    });
    const first = { index: 0, sshPublicKey: keyOf(0, 's'), hostPublicKey: keyOf(0, 'h') };
    expect(JSON.parse(text)).toEqual({ nodes: count, first });
    cancel.abort(new JobError({ code: 'TERMINATED', message: 'enough' }));
    await kept;
  });

  it('gives node 0 all keys, and any other node all places with the keys of node 0', async () => {
    const text = await rosterText();
    const ofFirst = await findPeers(nodeOf(0), text);
    expect(ofFirst).toHaveLength(count);
    expect(ofFirst?.[count - 1]).toMatchObject({ ip: plan.nodes[count - 1]!.ip, hostPublicKey: keyOf(count - 1, 'h') });
    const read = vi.fn(async (range: KeyRange) => await store.read(range));
    const ofOther = await findPeers(nodeOf(5, { ...store, read }), text);
    expect(ofOther?.map(({ ip }) => ip)).toEqual(plan.nodes.map(({ ip }) => ip));
    expect(ofOther?.[0]).toMatchObject({ sshPublicKey: keyOf(0, 's'), hostPublicKey: keyOf(0, 'h') });
    expect(ofOther?.slice(1).some(({ sshPublicKey }) => sshPublicKey !== undefined)).toBe(false);
    expect(read).not.toHaveBeenCalled();
  });

  it('waits for a store that is away', async () => {
    let failures = 2;
    const read: Store['read'] = async (range) => {
      if ((failures -= 1) >= 0) throw new JobError({ code: 'STORE_UNREACHABLE', message: 'away' });
      return await store.read(range);
    };
    expect(await findPeers(nodeOf(0, { ...store, read }), await rosterText())).toHaveLength(count);
  });

  it.each(['', '{}', '[]', '{"nodes":257}', '{"nodes":0,"first":{}}'])(
    'of another release is refused: %s',
    async (text) => {
      expect(parseRoster(text)).toBeUndefined();
      await expect(findPeers(nodeOf(0), text)).rejects.toMatchObject({ code: 'PLAN_UNREADABLE' });
    },
  );
});

describe('an agent that asks for keys', () => {
  const ask = async (indexes: readonly (number | undefined)[], within: Store = store): Promise<HelperMessage[]> => {
    const sent: HelperMessage[] = [];
    const said: AgentMessage[] = indexes.map((index) => ({ type: 'ask', ...(index === undefined ? {} : { index }) }));
    const link = {
      receive: () => Promise.resolve(said.shift()),
      send: (message: HelperMessage) => void sent.push(message),
      close: () => undefined,
    };
    expect(await answerAsks(nodeOf(5, within), link).receive()).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, 200));
    return sent;
  };

  it('gets those of the node', async () => {
    const peers = [{ index: 7, sshPublicKey: keyOf(7, 's'), hostPublicKey: keyOf(7, 'h') }];
    expect(await ask([7, 7])).toEqual([{ type: 'keys', peers }]);
  });

  it('gets all of them once it has asked for a few, and costs the store no more however often it asks', async () => {
    const read = vi.fn(async (range: KeyRange) => await store.read(range));
    const everybody = Array.from({ length: count + 50 }, (_, index) => index);
    const answers = await ask([...everybody, undefined, ...everybody, undefined], { ...store, read });
    const sizes = answers.map((answer) => (answer.type === 'keys' ? answer.peers.length : 0));
    expect(sizes.toSorted((a, b) => a - b)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, count]);
    expect(read).toHaveBeenCalledTimes(9);
  });
});
