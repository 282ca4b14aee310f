import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { JobPlan } from '../../../src/contract/job-plan.ts';
import {
  earlierRunKey,
  jobFieldKey,
  jobRange,
  keyOnly,
  nodeFieldKey,
  subnetKey,
} from '../../../src/contract/kvs-keys.ts';
import type { JobField, NodeField } from '../../../src/contract/kvs-keys.ts';
import { leaveEarlierRuns, readEarlierRuns } from '../../../src/helper/job/earlier-runs.ts';
import { endJob } from '../../../src/helper/job/end-job.ts';
import { parseJobState } from '../../../src/helper/job/job-state.ts';
import { claimJob } from '../../../src/helper/keeper/claim-job.ts';
import { followControl } from '../../../src/helper/node/follow-control.ts';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import type { Lease, Store } from '../../../src/ports/store.ts';
import { makePlan } from '../../support/make-plan.ts';
import { jobStoreIn } from '../../support/job-store.ts';

const base = makePlan({ hosts: ['c1', 'c2'] });
const first: JobPlan = { ...base, token: 'a'.repeat(32), launchId: 'a'.repeat(16) };
const second: JobPlan = { ...base, token: 'b'.repeat(32), launchId: 'b'.repeat(16) };
const subnetOf = (plan: JobPlan): string => subnetKey('', plan.network.cidr);

async function claim(store: Store, plan: JobPlan): Promise<{ plan: JobPlan; lease: Lease }> {
  const lease = await store.grantLease(20);
  await using claims = new AsyncDisposableStack();
  const written = await claimJob(jobStoreIn(store, plan), plan, lease, claims);
  claims.move();
  return { plan: written, lease };
}

const field = (name: JobField): string => jobFieldKey('', base.job, name);
const valueOf = async (store: Store, key: string): Promise<string | undefined> =>
  (await store.read(keyOnly(key)))[0]?.value;

/** The first run, whose nodes have got to these phases; its keeper lives unless `lease` is revoked. */
async function leaveFirstRun(phases: readonly string[], more: Partial<Record<JobField, string>> = {}) {
  const store = createMemoryStore();
  const { lease } = await claim(store, first);
  const node = (index: number, name: NodeField): string => nodeFieldKey('', base.job, index, name);
  await store.commit({
    puts: [
      { key: subnetOf(first), value: JSON.stringify({ job: base.job, token: first.token, since: '', index: 1 }) },
      ...phases.flatMap((phase, index) => [
        { key: node(index, 'PHASE'), value: phase },
        { key: node(index, 'HOST'), value: first.nodes[index]?.host ?? '' },
      ]),
      ...Object.entries(more).map(([name, value]) => ({ key: field(name as JobField), value })),
    ],
  });
  return { store, lease };
}

describe('a second run of a job whose first one was killed', () => {
  it('takes its place, and the subnet stays claimed for the host that is not clean', async () => {
    const { store, lease } = await leaveFirstRun(['released', 'running'], { ROSTER: 'old', SIGNAL: 'SIGUSR1' });
    await lease.revoke();
    const { plan } = await claim(store, second);
    expect(plan).toEqual({ ...second, takesOver: true });
    const state = parseJobState('', base.job, await store.read(jobRange('', base.job)));
    expect(state).toMatchObject({ finish: 'running', roster: undefined, signals: [], plan });
    expect(state.nodes.size).toBe(0);
    expect(await readEarlierRuns(jobStoreIn(store, base))).toMatchObject([
      { token: first.token, hosts: [first.nodes[1]?.host] },
    ]);
    expect(await valueOf(store, subnetOf(first))).toContain(first.token);
    // Those who read the plan remove the job's keys by its text.
    expect(await valueOf(store, field('PLAN'))).toBe(JSON.stringify(state.plan));
  });

  it('frees the subnet at once where every host of the first one is clean', async () => {
    const { store, lease } = await leaveFirstRun(['released', 'released']);
    await lease.revoke();
    await claim(store, second);
    expect(await readEarlierRuns(jobStoreIn(store, base))).toEqual([]);
    expect(await valueOf(store, subnetOf(first))).toBeUndefined();
  });

  it.each<[string, Partial<JobPlan>, boolean]>([
    ['runs', {}, false],
    ['is another user’s', { user: { ...base.user, uid: base.user.uid + 1 } }, true],
    ['was of another job of that key', { schedulerJobId: '999' }, true],
  ])('is refused when the first one %s', async (_, change, isOver) => {
    const { store, lease } = await leaveFirstRun(['running', 'running']);
    if (isOver) await lease.revoke();
    await expect(claim(store, { ...second, ...change })).rejects.toMatchObject({ code: 'JOB_BUSY' });
    expect(await valueOf(store, field('RUN'))).toBe(first.token);
  });

  it('is refused while the keeper of the first one takes it away', async () => {
    const { store } = await leaveFirstRun(['running', 'running'], { FINISH: 'TRUE' });
    await expect(claim(store, second)).rejects.toMatchObject({ code: 'JOB_BUSY' });
    expect(await valueOf(store, field('RUN'))).toBe(first.token);
  });

  it('is not touched by programs of the first one that come back', async () => {
    const { store, lease } = await leaveFirstRun(['running', 'running']);
    await lease.revoke();
    await claim(store, second);
    const late = jobStoreIn(store, base).ofRun(first);
    await endJob(late, { by: 'command', exitStatus: 3 });
    await late.store.commit({ puts: [{ key: nodeFieldKey('', base.job, 0, 'PHASE'), value: 'released' }] });
    const state = parseJobState('', base.job, await store.read(jobRange('', base.job)));
    expect([state.finish, state.nodes.size]).toEqual(['running', 0]);
  });

  it('is awaited by its own helpers, which meet the plan of the first one', async () => {
    const { store, lease } = await leaveFirstRun(['running', 'running']);
    await lease.revoke();
    const told = new AbortController();
    const followed = followControl(jobStoreIn(store, second), second.launchId, told.signal);
    const plan = followed.until((state) => state.plan);
    await claim(store, second);
    expect((await plan)?.token).toBe(second.token);
    followed.stop();
  });
});

describe('a host that is clean of an earlier run', () => {
  const note = async (store: Store, hosts: readonly string[]): Promise<void> => {
    const run = { job: base.job, token: first.token, cidr: first.network.cidr, hosts, since: '' };
    const claimed = { job: base.job, token: first.token, since: '', index: 1 };
    await store.commit({
      puts: [
        { key: earlierRunKey('', first.token), value: JSON.stringify(run) },
        { key: subnetOf(first), value: JSON.stringify(claimed) },
      ],
    });
  };

  it('says so, and the subnet stays for the others', async () => {
    const store = createMemoryStore();
    await note(store, ['elsewhere', hostname()]);
    await leaveEarlierRuns(jobStoreIn(store, base));
    expect(await readEarlierRuns(jobStoreIn(store, base))).toMatchObject([{ hosts: ['elsewhere'] }]);
    expect(await valueOf(store, subnetOf(first))).toBeDefined();
  });

  it('frees the subnet when it is the last one', async () => {
    const store = createMemoryStore();
    await note(store, [hostname()]);
    await leaveEarlierRuns(jobStoreIn(store, base));
    expect(await readEarlierRuns(jobStoreIn(store, base))).toEqual([]);
    expect(await valueOf(store, subnetOf(first))).toBeUndefined();
  });

  it('says nothing for another one', async () => {
    const store = createMemoryStore();
    await note(store, ['elsewhere']);
    await leaveEarlierRuns(jobStoreIn(store, base));
    expect(await readEarlierRuns(jobStoreIn(store, base))).toHaveLength(1);
  });
});
