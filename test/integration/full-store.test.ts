/** etcd at its quota: what is still possible then, and how soon we say so. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectEtcd } from '../../src/etcd/connect-etcd.ts';
import { endJobInAnyCase } from '../../src/helper/job/end-job.ts';
import { removeKeys } from '../../src/helper/release/release-keys.ts';
import { reportReleased } from '../../src/helper/job/report-released.ts';
import { checkStore } from '../../src/helper/host-checks/check-store.ts';
import { parseSite } from '../../src/config/parse-site.ts';
import { jobFieldKey, nodeFieldKey } from '../../src/contract/kvs-keys.ts';
import { runChecks } from '../../src/system/run-checks.ts';
import type { Lease, Store } from '../../src/ports/store.ts';
import { startEtcd } from '../support/etcd-server.ts';
import type { EtcdServer } from '../support/etcd-server.ts';
import { makePlan } from '../support/make-plan.ts';
import { asJobError } from '../../src/values/errors.ts';
import { jobStoreIn } from '../support/job-store.ts';

const plan = makePlan({ hosts: ['c1', 'c2'] });
const quotaBytes = 4 * 1024 ** 2;
/** Far below the two to three tries' time that a store is given which does not answer. */
const soonMs = 1500;

/** Of the putting until it is full. */
const fillMs = 30_000;

let etcd: EtcdServer;
let store: Store;
let lease: Lease;
beforeAll(async () => {
  etcd = await startEtcd({ quotaBytes });
  store = connectEtcd({ ...etcd.identity, endpoints: [etcd.endpoint], callTimeoutMs: 2000 });
  lease = await store.grantLease(60);
  await store.commit({
    puts: [
      { key: jobFieldKey('', plan.job, 'PLAN'), value: JSON.stringify(plan) },
      { key: jobFieldKey('', plan.job, 'FINISH'), value: 'FALSE', lease },
      ...[0, 1].flatMap((index) => [
        { key: nodeFieldKey('', plan.job, index, 'HOST'), value: 'c' },
        { key: nodeFieldKey('', plan.job, index, 'PHASE'), value: 'running', lease },
      ]),
    ],
  });
  const large = 'x'.repeat(200_000);
  // etcd counts what its disk has: where that is quick, dozens of puts are taken before the first is counted.
  for (const startedAt = performance.now(); performance.now() - startedAt < fillMs;) {
    // A disk that is slow for a moment is no full store.
    const code = await store.commit({ puts: [{ key: '/fill', value: large }] }).then(
      () => undefined,
      (error: unknown) => asJobError(error).code,
    );
    if (code === 'STORE_FULL') return;
  }
  throw new Error('etcd took all that it was given');
});
afterAll(async () => {
  await store.close();
  await etcd.stop();
});

const look = async (): Promise<unknown> => {
  const site = parseSite(`version: 1\netcd: {endpoints: ["${etcd.endpoint}"], quotaBytes: ${quotaBytes}}`);
  const open = (): Promise<Store> =>
    Promise.resolve(connectEtcd({ ...etcd.identity, endpoints: [etcd.endpoint], callTimeoutMs: 2000 }));
  return (await runChecks([checkStore(open, site, true)], 15_000))[0];
};

describe('etcd at its quota', () => {
  it('refuses puts and leases at once, by a code of its own', async () => {
    const startedAt = performance.now();
    await expect(store.commit({ puts: [{ key: '/x', value: '1' }] })).rejects.toMatchObject({
      code: 'STORE_FULL',
      exitStatus: 69,
      message: expect.stringContaining('refuses writes') as string,
    });
    await expect(store.grantLease(10)).rejects.toMatchObject({ code: 'STORE_FULL' });
    expect(performance.now() - startedAt).toBeLessThan(soonMs);
  });

  it('says so of itself, and doctor with what to do', async () => {
    expect(await store.health?.()).toMatchObject({ isFull: true });
    expect(await look()).toMatchObject({
      ...{ verdict: 'fail', code: 'STORE_FULL' },
      hint: expect.stringContaining('alarm disarm') as string,
    });
  });

  it('lets a job end and go, its nodes and its leases too', async () => {
    const end = { by: 'command', exitStatus: 7 } as const;
    expect(await endJobInAnyCase(jobStoreIn(store, plan), end)).toEqual({ end, isTold: false });
    await reportReleased(jobStoreIn(store, plan), 0);
    expect((await store.listKeys?.({ start: '/12/', end: '/120' })) ?? []).toEqual([
      '/12/12_node_1/HOST',
      '/12/12_node_1/PHASE',
      '/12/PLAN',
    ]);
    await lease.revoke();
    await removeKeys(jobStoreIn(store, plan), plan);
    expect(await store.read({ start: '/12/', end: '/120' })).toEqual([]);
  });

  it('takes writes again when an operator has made room, and doctor is content', async () => {
    await etcd.makeRoom();
    expect(await store.commit({ puts: [{ key: '/x', value: '1' }] })).toBe(true);
    expect(await store.health?.()).toMatchObject({ isFull: false });
    expect(await look()).toMatchObject({ verdict: 'ok', message: expect.stringContaining('take a write') as string });
    expect(await store.listKeys?.({ start: '/.site/', end: '/.site0' })).toEqual([]);
  });
});
