import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectEngine } from '../../src/docker/connect-engine.ts';
import type { ContainerEngine, FetchProgress, RegistryCredentials } from '../../src/ports/container-engine.ts';
import { formatPinned, parseImageReference } from '../../src/values/image-reference.ts';
import { startDockerEngine } from '../support/docker-engine.ts';
import type { TestEngine } from '../support/docker-engine.ts';
import { startFakeRegistry } from '../support/fake-registry.ts';
import type { FakeRegistry, RegistryFault } from '../support/fake-registry.ts';
import { until } from '../support/until.ts';

let lab: TestEngine;
let engine: ContainerEngine;

beforeAll(async () => {
  lab = await startDockerEngine();
  engine = connectEngine({ socketPath: lab.socketPath });
});
afterAll(async () => await lab.stop());

const never = new AbortController().signal;

function fetch(
  { repository, digest }: Pick<FakeRegistry, 'repository' | 'digest'>,
  more: {
    readonly signal?: AbortSignal;
    readonly credentials?: RegistryCredentials;
    readonly onProgress?: (progress: FetchProgress) => void;
  } = {},
): Promise<void> {
  const reference = parseImageReference(`${repository}:latest`);
  return engine.fetchImage({
    ...{ reference, digest, signal: never, credentials: undefined, onProgress: () => undefined },
    ...more,
  });
}

const ask = async ({ repository }: FakeRegistry, credentials?: RegistryCredentials) =>
  await engine.findRemoteImage({
    reference: parseImageReference(`${repository}:latest`),
    credentials,
    signal: never,
  });
const findPinned = async ({ repository, digest }: FakeRegistry) =>
  await engine.findImage(formatPinned(parseImageReference(repository), digest));

/** Blobs that the engine has not finished, nor thrown away. */
const listHalves = async (): Promise<readonly string[]> =>
  await readdir(path.join(path.dirname(lab.socketPath), 'data/tmp')).catch(() => []);

describe('an image of a registry', () => {
  test('is looked up by its tag and fetched by its digest, without a tag', async () => {
    await using registry = await startFakeRegistry(lab, { layerBytes: 3_000_000 });
    const remote = await ask(registry);
    expect(remote.digest).toBe(registry.digest);
    expect(remote.platforms).toHaveLength(1);
    expect(await findPinned(registry)).toBeUndefined();
    const seen: FetchProgress[] = [];
    await fetch(registry, { onProgress: (progress) => void seen.push(progress) });
    expect((await findPinned(registry))?.repoDigests).toEqual([`${registry.repository}@${registry.digest}`]);
    expect(await engine.findImage(`${registry.repository}:latest`)).toBeUndefined();
    expect(seen.at(-1)?.total).toBeGreaterThan(3_000_000);
    expect(seen.at(-1)?.bytes).toBe(seen.at(-1)?.total);
  });

  test.each<[string, RegistryFault, string, RegExp]>([
    ['401', { status: 401 }, 'REGISTRY_UNUSABLE', /asks for credentials/],
    ['403', { status: 403 }, 'IMAGE_NOT_PRESENT', /does not have it, or does not give it/],
    ['404', { status: 404 }, 'IMAGE_NOT_PRESENT', /does not have it/],
    ['429', { status: 429 }, 'IMAGE_NOT_FETCHED', /asked too often/],
    ['500', { status: 500 }, 'IMAGE_NOT_FETCHED', /500/],
    ['503', { status: 503 }, 'IMAGE_NOT_FETCHED', /503/],
    ['a cut connection', { cut: true }, 'IMAGE_NOT_FETCHED', /breaks off/],
    ['another answer than JSON', { corrupt: true }, 'IMAGE_NOT_FETCHED', /did not give it|not what its digest/],
  ])('that answers with %s is told in words and a code', async (_, fault, code, words) => {
    await using registry = await startFakeRegistry(lab);
    registry.break({ of: 'manifest', ...fault });
    await expect(ask(registry)).rejects.toMatchObject({ code, message: expect.stringMatching(words) as string });
    await expect(fetch(registry)).rejects.toMatchObject({ code, message: expect.stringMatching(words) as string });
    expect(await findPinned(registry)).toBeUndefined();
    registry.break(undefined);
    await fetch(registry);
    expect(await findPinned(registry)).toBeDefined();
  });

  test('whose bytes are not what the digest says is not there', async () => {
    await using registry = await startFakeRegistry(lab);
    registry.break({ of: 'blob', corrupt: true });
    await expect(fetch(registry)).rejects.toMatchObject({
      code: 'IMAGE_NOT_FETCHED',
      message: expect.stringContaining('not what its digest says') as string,
    });
    expect(await findPinned(registry)).toBeUndefined();
    await expect(fetch({ ...registry, digest: `sha256:${'a'.repeat(64)}` })).rejects.toMatchObject({
      code: 'IMAGE_NOT_PRESENT',
    });
  });

  test('that breaks off once is fetched all the same', async () => {
    await using registry = await startFakeRegistry(lab, { layerBytes: 200_000 });
    registry.break({ of: 'blob', cut: true, times: 1 });
    await fetch(registry);
    expect(await findPinned(registry)).toBeDefined();
  });

  test('whose fetch is cancelled ends at once and leaves nothing half; another fetch of it goes on', async () => {
    await using registry = await startFakeRegistry(lab, { layerBytes: 2_000_000 });
    registry.break({ of: 'blob', bytesPerSecond: 400_000 });
    const cancel = new AbortController();
    let hasBegun = false;
    const cancelled = fetch(registry, { signal: cancel.signal, onProgress: () => (hasBegun = true) });
    const other = fetch(registry);
    await until('the first bytes', 10_000, () => Promise.resolve(hasBegun || 'none'));
    const reason = new Error('cancelled by the test');
    const startedAt = performance.now();
    cancel.abort(reason);
    await expect(cancelled).rejects.toBe(reason);
    expect(performance.now() - startedAt).toBeLessThan(500);
    await other;
    expect(await findPinned(registry)).toBeDefined();

    await using alone = await startFakeRegistry(lab, { layerBytes: 2_000_000 });
    alone.break({ of: 'blob', bytesPerSecond: 200_000 });
    const again = new AbortController();
    const ended = fetch(alone, { signal: again.signal });
    ended.catch(() => undefined);
    await until('a half blob', 10_000, async () => (await listHalves()).length > 0 || 'none');
    again.abort(reason);
    await expect(ended).rejects.toBe(reason);
    await until('the end of the half blob', 10_000, async () => (await listHalves()).length === 0 || 'it is there');
    expect(await findPinned(alone)).toBeUndefined();
  });

  test('of a private registry needs the credentials, which go nowhere else', async () => {
    const credentials = { username: 'site', password: 'very-secret' };
    await using registry = await startFakeRegistry(lab, { credentials: 'site:very-secret' });
    await using stranger = await startFakeRegistry(lab);
    await expect(ask(registry)).rejects.toMatchObject({ code: 'REGISTRY_UNUSABLE' });
    const wrong = await ask(registry, { ...credentials, password: 'wrong-secret' }).catch((error: unknown) => error);
    expect(wrong).toMatchObject({ code: 'REGISTRY_UNUSABLE' });
    expect(JSON.stringify(wrong, Object.getOwnPropertyNames(wrong))).not.toContain('wrong-secret');
    expect((await ask(registry, credentials)).digest).toBe(registry.digest);
    // A registry, or whoever has taken it over, that sends us to another host.
    registry.break({ of: 'blob', redirectTo: `http://${stranger.repository.split('/')[0] ?? ''}/v2/elsewhere` });
    await expect(fetch(registry, { credentials })).rejects.toMatchObject({ code: 'IMAGE_NOT_PRESENT' });
    const asked = await stranger.requests();
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.filter((request) => !request.endsWith(' -'))).toEqual([]);
    registry.break(undefined);
    await fetch(registry, { credentials });
    const inspected = await lab.docker('image', 'inspect', `${registry.repository}@${registry.digest}`);
    expect(inspected).not.toContain('very-secret');
  });

  test('of a host that is not there, or that no one knows, is told', async () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    await expect(fetch({ repository: '127.0.0.1:1/none', digest })).rejects.toMatchObject({
      code: 'IMAGE_NOT_FETCHED',
      message: expect.stringContaining('127.0.0.1:1 does not answer') as string,
    });
  });

  test('without an engine fails as every call does', async () => {
    const absent = connectEngine({ socketPath: '/nonexistent/docker.sock' });
    const reference = parseImageReference('127.0.0.1:5000/app');
    await expect(absent.findRemoteImage({ reference, credentials: undefined, signal: never })).rejects.toMatchObject({
      code: 'ENGINE_UNREACHABLE',
    });
  });
});
