/**
 * Nodes of a job: each has a connection of its own and runs the helper's own code from the wait for the plan to the end of
 * the job. What is played: there is no container and no network, and the agent says at once what is due.
 */
import { parseSite } from '../../src/config/parse-site.ts';
import type { AgentMessage, HelperMessage } from '../../src/contract/agent-protocol.ts';
import type { JobKey } from '../../src/contract/job-key.ts';
import { lifelineOf } from '../../src/helper/job/lifeline.ts';
import { JobStore } from '../../src/helper/job/job-store.ts';
import { awaitPlan } from '../../src/helper/node/await-plan.ts';
import { converse } from '../../src/helper/node/converse.ts';
import { followControl } from '../../src/helper/node/follow-control.ts';
import { claimNode } from '../../src/helper/node/own-node.ts';
import type { OwnNode } from '../../src/helper/node/own-node.ts';
import type { AgentLink } from '../../src/helper/node/serve-agent.ts';
import type { Store } from '../../src/ports/store.ts';
import { makeKeyPair } from '../../src/ssh/make-key-pair.ts';
import { nowMs, serveOrders } from './messages.ts';
import type { Done, Order } from './messages.ts';
import { connectClient } from './store-client.ts';

const site = parseSite(
  'version: 1\netcd: {leaseTtlSeconds: 3600}\ndeadlines: {openSeconds: 3600, startSeconds: 3600, discoverSeconds: 3600}',
);
const launchId = '0123456789abcdef';
const keys = Array.from({ length: 64 }, () => makeKeyPair().publicKey);
/** What comes before the measured part comes bit by bit, as a launcher starts nodes. */
const mostAtOnce = 32;

interface Client {
  readonly index: number;
  readonly store: Store;
}
interface Joined {
  readonly own: OwnNode;
  stop(): Promise<void>;
}
let clients: readonly Client[] = [];
let joined: readonly Joined[] = [];
let going: Promise<unknown> = Promise.resolve();
let publishedAtMs = 0;
let startedAtMs = 0;

async function connectAll({ store: address, from, to }: Extract<Order, { type: 'connect' }>): Promise<void> {
  const indexes = Array.from({ length: to - from }, (_, at) => from + at);
  clients = await mapBitByBit(indexes, async (index) => {
    const store = connectClient(address);
    await store.read({ start: '/none', end: '/none0' });
    return { index, store };
  });
}

async function mapBitByBit<From, To>(all: readonly From[], act: (each: From) => Promise<To>): Promise<readonly To[]> {
  const made: To[] = [];
  const waiting = all.values();
  const work = async (): Promise<void> => {
    for (const each of waiting) made.push(await act(each));
  };
  await Promise.all(Array.from({ length: mostAtOnce }, work));
  return made;
}

async function join({ index, store }: Client, job: JobKey): Promise<Joined> {
  const open = new JobStore({ store: noting(store), prefix: '' }, job);
  const told = new AbortController();
  const followed = followControl(open, launchId, told.signal);
  const plan = await awaitPlan(site, open, followed, told.signal);
  const node = plan?.nodes[index];
  if (plan === undefined || node === undefined) throw new Error(`Node ${index} is not in the plan.`);
  const jobStore = open.ofRun(plan);
  const ttl = site.etcd.leaseTtlSeconds;
  const life = lifelineOf(jobStore.store, ttl, await jobStore.store.grantLease(ttl));
  const steps = { stepTimesMs: {}, usage: {}, signalsByStore: true };
  const own: OwnNode = { site, jobStore, plan, node, followed, told: told.signal, life, ...steps };
  if (!(await claimNode(own))) throw new Error(`Node ${index} could not be claimed.`);
  const stop = async (): Promise<void> => {
    followed.stop();
    await life.end();
  };
  return { own, stop };
}

/** The same store; notes when the public keys were taken. */
function noting(store: Store): Store {
  const commit: Store['commit'] = async (transaction) => {
    const isDone = await store.commit(transaction);
    if (transaction.puts?.some(({ key }) => key.endsWith('/SSHPUBKEY'))) publishedAtMs = nowMs();
    return isDone;
  };
  return { ...store, commit };
}

/** An agent that has its keys and is ready as soon as it knows the others. */
function playAgent(index: number): AgentLink {
  const said: AgentMessage[] = [
    { type: 'hello', sshPublicKey: keys[index % 64]!, hostPublicKey: keys[(index + 1) % 64]! },
  ];
  let wake = Promise.withResolvers<undefined>();
  return {
    receive: async () => {
      for (;;) {
        const next = said.shift();
        if (next !== undefined) return next;
        await wake.promise;
        wake = Promise.withResolvers();
      }
    },
    send: (message: HelperMessage) => {
      if (message.type === 'roster') said.push({ type: 'ready' });
      if (message.type === 'start') startedAtMs = nowMs();
      wake.resolve(undefined);
    },
    close: () => undefined,
  };
}

const noSuspension = { set: () => undefined, suspendedMs: () => 0, [Symbol.asyncDispose]: () => Promise.resolve() };

function go(): void {
  const started = joined.map(({ own }) => {
    const link = playAgent(own.node.index);
    const seen = Promise.withResolvers<undefined>();
    const send = (message: HelperMessage): void => {
      link.send(message);
      if (message.type === 'start') seen.resolve(undefined);
    };
    const over = converse(own, { ...link, send }, noSuspension, {});
    over.catch((error: unknown) => seen.reject(error));
    return { seen: seen.promise, over };
  });
  going = Promise.all(started.map(({ over }) => over));
  going.catch(() => undefined);
  allStarted = Promise.all(started.map(({ seen }) => seen));
}
let allStarted: Promise<unknown> = Promise.resolve();

serveOrders(async (order: Order): Promise<Partial<Done>> => {
  if (order.type === 'connect') await connectAll(order);
  else if (order.type === 'join')
    joined = await mapBitByBit(clients, async (one) => await join(one, order.job as JobKey));
  else if (order.type === 'go') {
    go();
    await allStarted;
    return { publishedAtMs, startedAtMs };
  } else if (order.type === 'end') await going;
  else if (order.type === 'rest') await Promise.all(joined.map((each) => each.stop()));
  return {};
});
