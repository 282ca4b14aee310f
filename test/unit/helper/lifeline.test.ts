import { setTimeout as pause } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { trackSuspension } from '../../../src/helper/job/follow-suspension.ts';
import { lifelineOf } from '../../../src/helper/job/lifeline.ts';
import type { Lifeline } from '../../../src/helper/job/lifeline.ts';
import { persistUntil } from '../../../src/helper/job/persist-until.ts';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import type { MemoryStore } from '../../../src/local-store/memory-store.ts';
import type { Lease, Store } from '../../../src/ports/store.ts';
import { JobError } from '../../../src/values/errors.ts';

const key = '/12/FINISH';
const never = new AbortController().signal;
let memory: MemoryStore;
let granted: Lease[];
let revoked: string[];
/** How many calls fail from now on, without being carried out or after it. */
let outage: { calls: number; readonly isCarriedOut: boolean };
let store: Store;
let life: Lifeline;

beforeEach(async () => {
  memory = createMemoryStore();
  granted = [];
  revoked = [];
  outage = { calls: 0, isCarriedOut: false };
  const failing = (): boolean => outage.calls-- > 0;
  const away = (): JobError => new JobError({ code: 'STORE_UNREACHABLE', message: 'away' });
  store = {
    ...memory,
    commit: async (transaction) => {
      const fails = failing();
      const answer = fails && !outage.isCarriedOut ? false : await memory.commit(transaction);
      if (fails) throw away();
      return answer;
    },
    grantLease: async (ttlSeconds) => {
      if (failing() && !outage.isCarriedOut) throw away();
      const lease = await memory.grantLease(ttlSeconds);
      granted.push(lease);
      return {
        ...lease,
        revoke: async () => {
          revoked.push(lease.id);
          await lease.revoke();
        },
      };
    },
  };
  life = lifelineOf(store, 20, await store.grantLease(20));
  await hold();
});

async function hold(): Promise<void> {
  const { lease } = life;
  await store.commit({ puts: [{ key, value: 'FALSE', ...(lease === undefined ? {} : { lease }) }] });
}

const isThere = async (): Promise<boolean> => (await memory.read({ start: key, end: `${key}\0` })).length === 1;

describe('a lifeline', () => {
  it('gives its lease up for a suspension and takes another one afterwards', async () => {
    await life.suspend(hold, never);
    expect([life.lease, revoked, await isThere()]).toEqual([undefined, ['1'], true]);
    await life.resume(hold, never);
    expect(life.lease?.id).toBe('2');
    memory.expireLease('2');
    expect([life.lost.aborted, await isThere()]).toEqual([true, false]);
  });

  it('tries until the store is back, however long that is, and takes one lease for it', async () => {
    await life.suspend(hold, never);
    outage = { calls: 9, isCarriedOut: false };
    await life.resume(hold, never);
    expect([granted.length, revoked, await isThere()]).toEqual([2, ['1'], true]);
    memory.expireLease('2');
    expect(life.lost.aborted).toBe(true);
  });

  it('keeps its keys when a rewrite whose answer was lost had been carried out', async () => {
    await life.suspend(hold, never);
    outage = { calls: 6, isCarriedOut: true };
    await life.resume(hold, never);
    expect([granted.length, revoked, await isThere()]).toEqual([2, ['1'], true]);
  });

  it('takes another lease when the new one ends before anything hangs on it', async () => {
    await life.suspend(hold, never);
    let tries = 0;
    await life.resume(async () => {
      tries += 1;
      if (tries === 1) {
        memory.expireLease(life.lease?.id ?? '');
        throw new Error('no such lease');
      }
      await hold();
    }, never);
    expect([life.lease?.id, life.lost.aborted, await isThere()]).toEqual(['3', false, true]);
  });

  it('gives up when the opposite is wanted, and revokes no lease before the next rewrite is through', async () => {
    outage = { calls: 1000, isCarriedOut: false };
    const superseded = AbortSignal.timeout(50);
    await expect(life.suspend(hold, superseded)).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(revoked).toEqual([]);
    outage = { calls: 0, isCarriedOut: false };
    await life.resume(hold, never);
    expect([revoked, await isThere()]).toEqual([['1'], true]);
  });
});

describe('a suspension', () => {
  it('is acted on at once although the last resumption could not be told yet', async () => {
    const done: string[] = [];
    const untilSuperseded = async (signal: AbortSignal): Promise<void> =>
      await persistUntil(signal, () => Promise.reject(new Error('away')));
    await using suspension = trackSuspension(
      {
        suspend: (signal) => (done.push('suspend'), untilSuperseded(signal)),
        resume: (signal) => (done.push('resume'), untilSuperseded(signal)),
      },
      (error) => expect.unreachable(String(error)),
    );
    suspension.set(true);
    suspension.set(false);
    await expect.poll(() => done).toEqual(['suspend', 'resume']);
    suspension.set(true);
    await expect.poll(() => done).toEqual(['suspend', 'resume', 'suspend']);
    // Given up half-way, it is begun anew although the last word is the same again.
    suspension.set(false);
    suspension.set(true);
    await expect.poll(() => done).toEqual(['suspend', 'resume', 'suspend', 'suspend']);
  });

  it('has no action at work any more once it is disposed', async () => {
    let isAtWork = false;
    {
      await using suspension = trackSuspension(
        {
          suspend: async (signal) => {
            isAtWork = true;
            await pause(60_000, undefined, { signal }).catch(() => undefined);
            await pause(20);
            isAtWork = false;
          },
          resume: () => Promise.resolve(),
        },
        () => undefined,
      );
      suspension.set(true);
      await expect.poll(() => isAtWork).toBe(true);
    }
    expect(isAtWork).toBe(false);
  });
});
