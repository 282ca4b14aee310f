/** A job whose store has filled up while it ran: it ends, and is released, by deletes alone. */
import { beforeEach, describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { endJobInAnyCase } from '../../../src/helper/job/end-job.ts';
import { parseJobState } from '../../../src/helper/job/job-state.ts';
import { reportReleased } from '../../../src/helper/job/report-released.ts';
import { CommandEnded, keepJob } from '../../../src/helper/keeper/keep-job.ts';
import { removeKeys, removeOrphanKeys } from '../../../src/helper/release/release-keys.ts';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import type { Store } from '../../../src/ports/store.ts';
import type { HelperEvent } from '../../../src/contract/helper-events.ts';
import { jobFieldKey, nodeFieldKey } from '../../../src/contract/kvs-keys.ts';
import { fullStore } from '../../support/full-store.ts';
import { makePlan } from '../../support/make-plan.ts';
import { jobStoreIn } from '../../support/job-store.ts';

const plan = makePlan({ hosts: ['c1', 'c2'] });
const site = parseSite('version: 1\ndeadlines: {startSeconds: 1, discoverSeconds: 1}');
const all = { start: '/', end: '0' };
let store: Store;
let full: Store;

const put = async (values: Readonly<Record<string, string>>): Promise<unknown> =>
  await store.commit({ puts: Object.entries(values).map(([key, value]) => ({ key, value })) });
const keys = async (): Promise<readonly string[]> => (await store.read(all)).map(({ key }) => key);
const finish = async (): Promise<string> => parseJobState('', plan.job, await store.read(all)).finish;

beforeEach(async () => {
  store = createMemoryStore();
  full = fullStore(store);
  await put({
    [jobFieldKey('', plan.job, 'PLAN')]: JSON.stringify(plan),
    [jobFieldKey('', plan.job, 'FINISH')]: 'FALSE',
  });
  for (const index of [0, 1])
    await put({
      [nodeFieldKey('', plan.job, index, 'HOST')]: `c${index + 1}`,
      [nodeFieldKey('', plan.job, index, 'PHASE')]: 'running',
    });
});

describe('the keeper of a job', () => {
  const keep = async (cancelled: AbortSignal, events: HelperEvent[] = []) =>
    await keepJob({ jobStore: jobStoreIn(full, plan), site, plan, cancelled, emit: (event) => events.push(event) });

  it('gives the command’s status, says that the store is full, and ends the other hosts', async () => {
    const events: HelperEvent[] = [];
    const end = { by: 'command', exitStatus: 7 } as const;
    expect(await keep(AbortSignal.abort(new CommandEnded(end)), events)).toEqual(end);
    expect(events).toContainEqual({ event: 'note', message: expect.stringContaining('full') as string });
    expect(await finish()).toBe('absent');
  });

  it('names the store where a node could not say what went wrong', async () => {
    await store.commit({ deletes: [{ start: nodeFieldKey('', plan.job, 1, 'PHASE'), end: '/12/12_node_1/PHASE\0' }] });
    expect(await keep(new AbortController().signal)).toMatchObject({
      by: 'middleware',
      code: 'STORE_FULL',
      exitStatus: 69,
    });
    expect(await finish()).toBe('absent');
  });
});

describe('a node of a job', () => {
  it('says by its keys’ absence that nothing is left of it, once the job is over', async () => {
    const reported = reportReleased(jobStoreIn(full, plan), 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await keys()).toContain('/12/12_node_1/HOST');
    await endJobInAnyCase(jobStoreIn(full, plan), { by: 'command', exitStatus: 0 });
    await reported;
    expect(await keys()).toEqual(['/12/12_node_0/HOST', '/12/12_node_0/PHASE', '/12/PLAN']);
  });

  it('writes it where there is room', async () => {
    await reportReleased(jobStoreIn(store, plan), 1);
    expect(parseJobState('', plan.job, await store.read(all)).nodes.get(1)?.phase).toBe('released');
  });
});

it('is released by deletes alone', async () => {
  await endJobInAnyCase(jobStoreIn(full, plan), { by: 'command', exitStatus: 0 });
  await removeKeys(jobStoreIn(full, plan), plan);
  expect(await keys()).toEqual([]);
});

describe('keys of a job whose plan was tampered with', () => {
  it.each([
    ['changed', JSON.stringify({ ...plan, image: { ...plan.image, id: `sha256:${'b'.repeat(64)}` } })],
    ['written in another form', JSON.stringify(plan, undefined, 2)],
    ['made unreadable but for its token', JSON.stringify({ token: plan.token })],
  ])('go with the job’s release: %s', async (_, text) => {
    await put({ [jobFieldKey('', plan.job, 'PLAN')]: text, [jobFieldKey('', plan.job, 'FINISH')]: 'TRUE' });
    await removeKeys(jobStoreIn(store, plan), plan);
    expect(await keys()).toEqual([]);
  });

  it('go when the plan is gone', async () => {
    await store.commit({ deletes: [{ start: '/12/F', end: '/12/Q' }] });
    expect(await keys()).not.toEqual([]);
    await removeKeys(jobStoreIn(store, plan), plan);
    expect(await keys()).toEqual([]);
  });

  it('stay when the plan is of another run', async () => {
    const other = { ...plan, token: 'f'.repeat(32) };
    await put({ [jobFieldKey('', plan.job, 'PLAN')]: JSON.stringify(other) });
    await removeKeys(jobStoreIn(store, plan), plan);
    expect(await keys()).toHaveLength(6);
  });

  it('stay while somebody keeps the job, and go after', async () => {
    await store.commit({ deletes: [{ start: '/12/PLAN', end: '/12/PLAN\0' }] });
    expect(await removeOrphanKeys(jobStoreIn(store, plan))).toBe(false);
    expect(await keys()).toHaveLength(5);
    await put({ '/12/FINISH': 'TRUE' });
    expect(await removeOrphanKeys(jobStoreIn(store, plan))).toBe(true);
    expect(await keys()).toEqual([]);
  });
});
