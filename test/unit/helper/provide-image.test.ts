import { describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { jobFieldKey, keyOnly, nodeFieldKey } from '../../../src/contract/kvs-keys.ts';
import { lifelineOf } from '../../../src/helper/job/lifeline.ts';
import { followControl } from '../../../src/helper/node/follow-control.ts';
import { chooseImage } from '../../../src/helper/node/judge-here.ts';
import type { HelperContext } from '../../../src/helper/open-context.ts';
import { fetchPlannedImage } from '../../../src/helper/node/provide-image.ts';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import type { ImageFacts, ImageFetch } from '../../../src/ports/container-engine.ts';
import { JobError } from '../../../src/values/errors.ts';
import { jobStoreIn } from '../../support/job-store.ts';
import { makePlan } from '../../support/make-plan.ts';

const digest = `sha256:${'d'.repeat(64)}`;
const made = makePlan({ hosts: ['c1', 'c2'] });
const plan = { ...made, image: { reference: 'r.example/hpc/mpi:1', digest } };
const pinned = `r.example/hpc/mpi@${digest}`;
const registry = { host: 'r.example', caFile: '', credentialsFile: '' };

const facts = (repoDigest: string, id = 'e'): ImageFacts => ({
  ...{ id: `sha256:${id.repeat(64)}`, repoDigests: [repoDigest], environment: [], architecture: 'amd64', os: 'linux' },
  ...{ volumes: [], exposedPorts: 0, configurationLength: 2 },
});

/** Fetches on node 0; `fetch` is what the engine does. */
async function fetchOn(
  fetch: (asked: ImageFetch) => Promise<void>,
  {
    found = facts(pinned),
    fetchSeconds = 20,
    reserveBytes = 0,
  }: { readonly found?: ImageFacts; readonly fetchSeconds?: number; readonly reserveBytes?: number } = {},
) {
  const store = createMemoryStore();
  const puts = Object.entries({ PLAN: JSON.stringify(plan), FINISH: 'FALSE' }).map(([field, value]) => ({
    key: jobFieldKey('', plan.job, field as 'PLAN'),
    value,
  }));
  await store.commit({ puts });
  const cancel = new AbortController();
  const jobStore = jobStoreIn(store, plan);
  const followed = followControl(jobStore, plan.launchId, cancel.signal);
  const site = parseSite(
    `version: 1\nimages: {fetchSeconds: ${fetchSeconds}}\ncontainer: {writableLayer: {reserveBytes: ${reserveBytes}}}`,
  );
  const records: unknown[] = [];
  const context = {
    site,
    engine: {
      ping: () => Promise.resolve({ rootDirectory: '/' }),
      fetchImage: fetch,
      findImage: (name: string) => Promise.resolve(name === pinned ? found : undefined),
    },
    audit: { record: (...record: readonly unknown[]) => void records.push(record) },
  } as unknown as HelperContext;
  const own = {
    ...{ site, jobStore, plan, node: plan.nodes[0]!, followed, told: cancel.signal },
    life: lifelineOf(store, 20, await store.grantLease(20)),
    ...{ signalsByStore: false, stepTimesMs: {}, usage: {} },
  };
  const read = async (field: 'PHASE' | 'FETCHED') =>
    (await store.read(keyOnly(nodeFieldKey('', plan.job, 0, field))))[0]?.value;
  const fetched = fetchPlannedImage(context, own, registry, digest).finally(() => followed.stop());
  return { fetched, store, cancel, read, records };
}

const untilAborted = async ({ signal }: ImageFetch): Promise<void> =>
  await new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });

describe('an image that a host lacks', () => {
  it('is fetched by its digest, while PHASE says so', async () => {
    const phases: (string | undefined)[] = [];
    const { fetched, read, records } = await fetchOn(async (asked) => {
      expect(asked).toMatchObject({ digest, reference: { registry: 'r.example', path: 'hpc/mpi' } });
      expect(asked.credentials).toBeUndefined();
      phases.push(await read('PHASE'));
      asked.onProgress({ bytes: 10, total: 10 });
    });
    expect(await fetched).toEqual(facts(pinned));
    expect(phases).toEqual(['fetching']);
    expect(await read('PHASE')).toBe('creating');
    expect(await read('FETCHED')).toBe('10/10');
    expect(records).toMatchObject([['image-fetched', { image: pinned, bytes: 10 }]]);
  });

  it('is not fetched, and not a second time, where the disk of the Engine would be full of it', async () => {
    let calls = 0;
    const fetch = async (asked: ImageFetch): Promise<void> => {
      calls += 1;
      asked.signal.throwIfAborted();
      await untilAborted(asked);
    };
    const { fetched } = await fetchOn(fetch, { reserveBytes: 2 ** 52 });
    await expect(fetched).rejects.toMatchObject({
      code: 'IMAGE_NOT_FETCHED',
      message: expect.stringContaining('images are fetched only as long as') as string,
    });
    expect(calls).toBe(0);
  });

  it('is not there when the engine only says so, or has it under another name', async () => {
    const { fetched } = await fetchOn(() => Promise.resolve(), { found: facts(`r.example/other@${digest}`) });
    await expect(fetched).rejects.toMatchObject({ code: 'HOST_UNFIT' });
  });

  it('is fetched again after what may pass, and given up with host and image for what will not', async () => {
    let tries = 0;
    const again = await fetchOn(() => {
      tries += 1;
      return tries === 1
        ? Promise.reject(new JobError({ code: 'IMAGE_NOT_FETCHED', message: 'it broke off' }))
        : Promise.resolve();
    });
    expect(await again.fetched).toBeDefined();
    expect(tries).toBe(2);
    const { fetched } = await fetchOn(() =>
      Promise.reject(new JobError({ code: 'HOST_UNFIT', message: 'the disk is full', hint: 'Make room.' })),
    );
    await expect(fetched).rejects.toMatchObject({
      code: 'HOST_UNFIT',
      message: `image ${pinned} could not be fetched: the disk is full.`,
      hint: 'Make room.',
    });
  });

  it('is given up when its time is over', async () => {
    const { fetched } = await fetchOn(untilAborted, { fetchSeconds: 1 });
    await expect(fetched).rejects.toMatchObject({
      code: 'IMAGE_NOT_FETCHED',
      message: expect.stringContaining('it was not here after 1 s') as string,
    });
  });

  it('is given up when the registry sends more of it than the site allows, and not asked for again', async () => {
    let tries = 0;
    const { fetched } = await fetchOn((asked) => {
      tries += 1;
      asked.onProgress({ bytes: 3, total: 64 * 1024 ** 3 + 1 });
      return Promise.reject(asked.signal.aborted ? (asked.signal.reason as Error) : new Error('goes on'));
    });
    await expect(fetched).rejects.toMatchObject({
      code: 'IMAGE_UNUSABLE',
      message: `image ${pinned} could not be fetched: r.example sends more of it than 64 GiB.`,
      rule: 'images.fetchBytes',
    });
    expect(tries).toBe(1);
  });

  it('is left alone as soon as the job is over, or the host is told to end', async () => {
    const over = await fetchOn(untilAborted);
    await over.store.commit({ puts: [{ key: jobFieldKey('', plan.job, 'FINISH'), value: 'TRUE' }] });
    expect(await over.fetched).toBeUndefined();
    const told = await fetchOn(untilAborted);
    const reason = new JobError({ code: 'TERMINATED', message: 'told' });
    told.cancel.abort(reason);
    await expect(told.fetched).rejects.toBe(reason);
  });
});

describe('the very image of a plan', () => {
  const named = facts('r.example/hpc/mpi@sha256:0', '1');
  const choose = async (
    image: Partial<typeof plan.image> & { readonly id?: string },
    more: {
      readonly named?: ImageFacts;
      readonly registry?: typeof registry;
      readonly pinned?: ImageFacts;
    },
  ) =>
    await chooseImage(
      { engine: { findImage: (name: string) => Promise.resolve(name === pinned ? more.pinned : undefined) } } as never,
      { ...plan, image: { ...plan.image, ...image } },
      { registry: more.registry, named: more.named, host: 'c2' },
    );

  it('is the one that the name means here only when it has the id', async () => {
    expect(await choose({ id: named.id }, { named })).toBe(named);
    await expect(choose({ id: facts(pinned).id }, { named })).rejects.toMatchObject({ code: 'IMAGE_NOT_PRESENT' });
    await expect(choose({}, { named })).rejects.toMatchObject({ code: 'IMAGE_NOT_PRESENT' });
  });

  it('is the one of the digest, or is to be fetched, where the site lets jobs fetch', async () => {
    const present = facts(pinned);
    expect(await choose({}, { named, registry, pinned: present })).toBe(present);
    expect(await choose({ id: present.id }, { named, registry })).toEqual({ digest, registry });
    expect(await choose({}, { registry, pinned: facts(`r.example/secret@${digest}`) })).toEqual({ digest, registry });
  });

  it('is never another one than the digest that the user has named', async () => {
    const reference = `r.example/hpc/mpi@sha256:${'f'.repeat(64)}`;
    await expect(choose({ reference }, { registry })).rejects.toMatchObject({ code: 'IMAGE_NOT_ALLOWED' });
  });
});
