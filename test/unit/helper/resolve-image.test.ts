import { describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { resolveImage } from '../../../src/helper/keeper/resolve-image.ts';
import type { HelperContext } from '../../../src/helper/open-context.ts';
import { decideRequest } from '../../../src/policy/decide-request.ts';
import { anyRequester } from '../../../src/policy/requester.ts';
import type { ImageFacts, RegistryQuestion, RemoteImage } from '../../../src/ports/container-engine.ts';
import { JobError } from '../../../src/values/errors.ts';

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
const repository = 'r.example/hpc/mpi';
const name = `${repository}:1`;

const facts = (id: string, ...repoDigests: readonly string[]): ImageFacts => ({
  ...{ id: digest(id), repoDigests, environment: [], architecture: 'amd64', os: 'linux', volumes: [] },
  ...{ exposedPorts: 0, configurationLength: 2 },
});

interface World {
  readonly pull?: 'never' | 'missing' | 'newer';
  /** What the host has, by the names that it answers to. */
  readonly local?: Readonly<Record<string, ImageFacts>>;
  readonly remote?: RemoteImage | JobError;
  readonly cancelled?: AbortSignal;
}

async function resolve(
  image: string,
  { pull = 'missing', local = {}, remote, cancelled = new AbortController().signal }: World,
) {
  const registries = pull === 'never' ? '' : 'registries: [{host: r.example}],';
  const site = parseSite(`version: 1
images: {pull: ${pull}, ${registries} allowed: ["r.example/**", "**"], fetchSeconds: 1}
mounts: {allowed: [{source: /scratch}]}`);
  const asked: string[] = [];
  const engine = {
    findImage: (reference: string) => Promise.resolve(local[reference]),
    findRemoteImage: ({ reference }: RegistryQuestion) => {
      asked.push(`${reference.registry}/${reference.path}`);
      return remote instanceof JobError ? Promise.reject(remote) : Promise.resolve(remote!);
    },
  };
  const request = { image, workdir: '/scratch', mounts: [], hostCount: 1, devices: [] };
  const decision = decideRequest(site, request, anyRequester);
  const resolved = await resolveImage({ site, engine } as unknown as HelperContext, {
    ...{ request, decision, requester: anyRequester, host: 'c1', local: local[decision.imageReference] },
    cancelled,
    beforeAsking: () => Promise.resolve(void asked.push('allowed')),
  });
  return { ...resolved, asked };
}

const here = facts('1', `${repository}@${digest('a')}`);
const amd64: RemoteImage = { digest: digest('b'), platforms: [{ architecture: 'amd64', os: 'linux' }] };

describe('with images.pull: never', () => {
  it('is the image of the host, with its digest where it has one, and nobody is asked', async () => {
    expect(await resolve(name, { pull: 'never', local: { [name]: here } })).toMatchObject({
      ...{ facts: here, digest: digest('a'), asked: [] },
    });
    const loaded = facts('1', 'other.example/mpi@sha256:x', `other.example/hpc/mpi@${digest('a')}`);
    expect((await resolve(name, { pull: 'never', local: { [name]: loaded } })).digest).toBeUndefined();
    await expect(resolve(name, { pull: 'never' })).rejects.toMatchObject({
      code: 'IMAGE_NOT_PRESENT',
      message: `Image ${name} is not present on host c1.`,
    });
  });
});

describe('with images.pull: missing', () => {
  it('is the image of the host where it has one, without a question', async () => {
    expect(await resolve(name, { local: { [name]: here }, remote: amd64 })).toMatchObject({
      ...{ facts: here, digest: digest('a'), asked: [] },
    });
  });

  it('is what the registry says where the host has none, and may be here under its digest', async () => {
    expect(await resolve(name, { remote: amd64 })).toMatchObject({
      ...{ facts: undefined, digest: digest('b'), asked: ['allowed', repository] },
    });
    const pinned = `${repository}@${digest('b')}`;
    const found = facts('2', pinned);
    expect((await resolve(name, { remote: amd64, local: { [pinned]: found } })).facts).toBe(found);
    // An engine that finds it under any repository: it is not the one that the policy has allowed.
    const foreign = facts('2', `r.example/secret@${digest('b')}`);
    expect((await resolve(name, { remote: amd64, local: { [pinned]: foreign } })).facts).toBeUndefined();
  });

  it('is not one that the engine finds by its digest under another repository', async () => {
    const pinned = `${repository}@${digest('c')}`;
    const local = { [pinned]: facts('2', `r.example/secret@${digest('c')}`) };
    expect((await resolve(pinned, { local })).facts).toBeUndefined();
    await expect(resolve(pinned, { pull: 'never', local })).rejects.toMatchObject({ code: 'IMAGE_NOT_PRESENT' });
  });

  it('needs no question for a digest', async () => {
    const pinned = `${repository}@${digest('c')}`;
    expect(await resolve(pinned, { remote: amd64 })).toMatchObject({
      ...{ facts: undefined, digest: digest('c'), asked: [] },
    });
  });

  it('is not asked for any longer when the job is cancelled', async () => {
    const reason = new JobError({ code: 'TERMINATED', message: 'The job was cancelled (SIGTERM).' });
    await expect(resolve(name, { remote: amd64, cancelled: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('is refused for other processors before any host fetches it', async () => {
    const remote = { digest: digest('b'), platforms: [{ architecture: 's390x', os: 'linux' }] };
    await expect(resolve(name, { remote })).rejects.toMatchObject({
      code: 'IMAGE_UNUSABLE',
      message: `Image ${name} could not be looked up from host c1: what r.example has of it is made for linux/s390x, not for this host.`,
    });
  });

  it('never asks a registry that the site does not name, and says so', async () => {
    await expect(resolve('debian:12', { remote: amd64 })).rejects.toMatchObject({
      code: 'IMAGE_NOT_PRESENT',
      message:
        "Image debian:12 is not present on host c1, and is not fetched: docker.io is not among the site's registries.",
    });
  });
});

describe('with images.pull: newer', () => {
  it('is what the registry says, though the host has the tag', async () => {
    expect(await resolve(name, { pull: 'newer', local: { [name]: here }, remote: amd64 })).toMatchObject({
      ...{ facts: undefined, digest: digest('b'), asked: ['allowed', repository] },
    });
  });

  it.each([
    ['does not answer for the moment', 'IMAGE_NOT_FETCHED', undefined],
    ['does not have it any more', 'IMAGE_NOT_PRESENT', 'IMAGE_NOT_PRESENT'],
    ['does not give it to the site any more', 'REGISTRY_UNUSABLE', 'REGISTRY_UNUSABLE'],
  ] as const)('is the image of the host only while the registry %s', async (_, code, refusal) => {
    const remote = new JobError({ code, message: 'r.example has a reason' });
    const resolved = resolve(name, { pull: 'newer', local: { [name]: here }, remote });
    if (refusal === undefined)
      expect(await resolved).toMatchObject({
        ...{
          facts: here,
          digest: digest('a'),
          note: expect.stringContaining('r.example did not answer within') as string,
        },
      });
    else await expect(resolved).rejects.toMatchObject({ code: refusal });
  });
});
