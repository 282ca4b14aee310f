import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { forwardSignals } from '../../../src/helper/keeper/forward-signals.ts';
import { parseJobState } from '../../../src/helper/job/job-state.ts';
import type { ForwardedSignal } from '../../../src/contract/helper-events.ts';
import { receiveOrders } from '../../../src/helper/keeper/receive-orders.ts';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import type { Store } from '../../../src/ports/store.ts';
import { requireJobKey } from '../../../src/contract/job-key.ts';
import { controlRange, jobFieldKey } from '../../../src/contract/kvs-keys.ts';
import { jobStoreIn } from '../../support/job-store.ts';

const job = requireJobKey('772');
let store: Store;

beforeEach(async () => {
  store = createMemoryStore();
  await store.commit({ puts: [{ key: jobFieldKey('', job, 'FINISH'), value: 'FALSE' }] });
});

async function signalsInStore(): Promise<readonly ForwardedSignal[]> {
  await sleep(20);
  return parseJobState('', job, await store.read(controlRange('', job))).signals;
}

describe('signals for the command', () => {
  it('stand in the store all, in their order', async () => {
    const forward = forwardSignals(jobStoreIn(store, { job }));
    forward('SIGUSR1');
    forward('SIGUSR1');
    forward('SIGUSR2');
    expect(await signalsInStore()).toEqual(['SIGUSR1', 'SIGUSR1', 'SIGUSR2']);
  });

  it('are not written for a job that has ended', async () => {
    await store.commit({ puts: [{ key: jobFieldKey('', job, 'FINISH'), value: 'TRUE' }] });
    forwardSignals(jobStoreIn(store, { job }))('SIGUSR1');
    expect(await signalsInStore()).toEqual([]);
  });

  it('stop at a hundred: a flood does not load the store', async () => {
    const forward = forwardSignals(jobStoreIn(store, { job }));
    for (let count = 0; count < 5000; count += 1) forward('SIGUSR1');
    expect(await signalsInStore()).toHaveLength(100);
  });

  it('come as orders of the middleware, also before anybody asks for them', async () => {
    const input = new PassThrough();
    const orders = receiveOrders(input, 1000);
    input.write('{}\n{"order":"signal","signal":"SIGUSR1"}\n{"order":"signal","signal":"SIGKILL"}\n');
    await sleep(20);
    const seen: string[] = [];
    orders.onSignal((signal) => seen.push(signal));
    input.write('{"order":"signal","signal":"SIGUSR2"}\n');
    await sleep(20);
    expect(seen).toEqual(['SIGUSR1', 'SIGUSR2']);
    expect(orders.cancelled.aborted).toBe(false);
    orders.close();
  });
});
