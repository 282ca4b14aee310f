import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import type { Store } from '../../../src/ports/store.ts';
import { awaitState } from '../../../src/system/await-state.ts';
import { JobError } from '../../../src/values/errors.ts';

const all = { start: '/', end: '0' };
const put = (store: Store, key: string) => store.commit({ puts: [{ key, value: '1' }] });
const atLeast = (count: number) => (entries: readonly unknown[]) =>
  entries.length >= count ? entries.length : undefined;
const unreachable = new JobError({ code: 'STORE_UNREACHABLE', message: 'away' });

/** The store with some of its ways changed. */
const withFaults = (store: Store, faults: Partial<Store>): Store => ({ ...store, ...faults });

describe('awaitState', () => {
  it('returns at once what already holds', async () => {
    const store = createMemoryStore();
    await put(store, '/a');
    expect(await awaitState(store, all, atLeast(1))).toEqual({ kind: 'reached', value: 1 });
  });

  it('returns as soon as the state is reached', async () => {
    const store = createMemoryStore();
    const reached = awaitState(store, all, atLeast(2), { deadlineMs: 5000 });
    await put(store, '/a');
    await put(store, '/b');
    expect(await reached).toEqual({ kind: 'reached', value: 2 });
  });

  it('reaches the state by the slow timer when every hint is lost', async () => {
    const store = createMemoryStore();
    const deaf = withFaults(store, { watch: (range) => store.watch(range, () => undefined) });
    const reached = awaitState(deaf, all, atLeast(1), { deadlineMs: 5000, slowTimerMs: 50 });
    await sleep(20);
    await put(store, '/a');
    expect(await reached).toEqual({ kind: 'reached', value: 1 });
  });

  it('returns the state that it saw last when the deadline passes', async () => {
    const store = createMemoryStore();
    await put(store, '/a');
    const outcome = await awaitState(store, all, atLeast(2), { deadlineMs: 50 });
    expect(outcome).toMatchObject({ kind: 'timeout', entries: [{ key: '/a' }], outage: undefined });
  });

  it('keeps its deadline while a read hangs', async () => {
    const store = withFaults(createMemoryStore(), { read: () => new Promise(() => undefined) });
    const outcome = await awaitState(store, all, atLeast(1), { deadlineMs: 50 });
    expect(outcome).toEqual({ kind: 'timeout', entries: undefined, outage: undefined });
  });

  it('rejects with the reason of its signal, before and during the wait', async () => {
    const store = createMemoryStore();
    const controller = new AbortController();
    const waiting = awaitState(store, all, atLeast(1), { signal: controller.signal });
    const told = expect(waiting).rejects.toThrow('cancelled');
    controller.abort(new Error('cancelled'));
    await told;
    await expect(awaitState(store, all, atLeast(0), { signal: controller.signal })).rejects.toThrow('cancelled');
  });

  it('waits through an outage, and names it when it lasts to the deadline', async () => {
    const store = createMemoryStore();
    await put(store, '/a');
    const read = vi.fn((range: typeof all) => store.read(range)).mockRejectedValueOnce(unreachable);
    expect(await awaitState(withFaults(store, { read }), all, atLeast(1))).toEqual({ kind: 'reached', value: 1 });
    const gone = withFaults(store, { read: () => Promise.reject(unreachable) });
    expect(await awaitState(gone, all, atLeast(1), { deadlineMs: 50 })).toMatchObject({
      kind: 'timeout',
      outage: unreachable,
    });
  });

  it('rejects at the first outage when told not to tolerate it', async () => {
    const gone = withFaults(createMemoryStore(), { read: () => Promise.reject(unreachable) });
    await expect(awaitState(gone, all, atLeast(1), { tolerateOutage: false })).rejects.toBe(unreachable);
  });

  it('rejects with what the judge throws', async () => {
    const judge = (): never => {
      throw new Error('node_3 failed');
    };
    await expect(awaitState(createMemoryStore(), all, judge)).rejects.toThrow('node_3 failed');
  });

  it('closes its watch however it ends', async () => {
    const store = createMemoryStore();
    const close = vi.fn(() => Promise.resolve());
    const watched = withFaults(store, { watch: () => ({ close }) });
    await awaitState(watched, all, atLeast(0));
    await awaitState(watched, all, atLeast(9), { deadlineMs: 10 });
    await awaitState(watched, all, atLeast(9), { signal: AbortSignal.timeout(10) }).catch(() => undefined);
    expect(close).toHaveBeenCalledTimes(3);
  });

  it('reads one at a time and far less often than there are changes', async () => {
    const store = createMemoryStore();
    let inFlight = 0;
    let most = 0;
    let written = 0;
    const read = vi.fn(async (range: typeof all) => {
      most = Math.max(most, ++inFlight);
      // As long as ten changes take, however slow the machine is.
      for (const due = Math.min(written + 10, 200); written < due;) await sleep(1);
      inFlight--;
      return store.read(range);
    });
    const reached = awaitState(withFaults(store, { read }), all, atLeast(200), { deadlineMs: 10_000 });
    for (; written < 200; written++) {
      await put(store, `/${written}`);
      await sleep(1);
    }
    expect(await reached).toMatchObject({ kind: 'reached' });
    expect(most).toBe(1);
    expect(read.mock.calls.length).toBeLessThan(30);
  });
});
