import { describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { findRegistry, findRegistryOfSite } from '../../../src/policy/decide-fetch.ts';
import { anyRequester } from '../../../src/policy/requester.ts';
import type { Requester } from '../../../src/policy/requester.ts';

const site = parseSite(`version: 1
images:
  pull: missing
  registries: [{host: "r.example:5000"}, {host: docker.io}]
  allowed:
    - "r.example:5000/**"
    - "other.example/**"
    - "hpc/*"
    - "docker.io/library/*"
    - {image: "docker.io/group/*", groups: [cfd]}
    - "group/*"
applications:
  "own:1": {image: "r.example:5000/own:1"}
  "short:1": {image: "debian:12"}
  "long:1": {image: "docker.io/library/debian:12"}
`);
const never = { ...site, images: { ...site.images, pull: 'never' as const } };
const member = (...groups: readonly string[]): Requester => ({
  user: { name: 'alice', uid: 2001, groups: groups.map((name) => ({ name, gid: 1 })) },
  queue: undefined,
});

describe('an image may be fetched', () => {
  it.each([
    ['from a registry of the site', { image: 'r.example:5000/a/b:1' }, 'r.example:5000'],
    ['by its digest', { image: `r.example:5000/a@sha256:${'a'.repeat(64)}` }, 'r.example:5000'],
    ['not from a registry that is only allowed', { image: 'other.example/a:1' }, undefined],
    ['not from docker.io for a name that a short pattern allows', { image: 'hpc/mpi:1' }, undefined],
    ['not from docker.io though the user spells it out', { image: 'docker.io/hpc/mpi:1' }, undefined],
    ['from docker.io where a pattern spells it out', { image: 'debian:12' }, 'docker.io'],
    ['for an application', { application: 'own:1' }, 'r.example:5000'],
    ['not from docker.io for a short name in the catalogue', { application: 'short:1' }, undefined],
    ['from docker.io for a full name in the catalogue', { application: 'long:1' }, 'docker.io'],
  ])('%s', (_, wanted, host) => {
    expect(findRegistry(site, wanted, anyRequester)?.host).toBe(host);
    expect(findRegistry(never, wanted, anyRequester)).toBeUndefined();
  });

  it('only by a pattern that is for this user', () => {
    expect(findRegistry(site, { image: 'group/a:1' }, member('cfd'))?.host).toBe('docker.io');
    expect(findRegistry(site, { image: 'group/a:1' }, member('other'))).toBeUndefined();
  });

  it('by nobody who may not run it', () => {
    expect(() => findRegistry(site, { image: 'evil.example/a:1' }, anyRequester)).toThrow(/not allowed/);
    expect(() => findRegistry(site, { image: 'r.example:5000.evil.example/a:1' }, anyRequester)).toThrow();
  });

  it('as site.yaml itself names it', () => {
    expect(findRegistryOfSite(site, 'debian:12')).toBeUndefined();
    expect(findRegistryOfSite(site, 'docker.io/library/debian:12')?.host).toBe('docker.io');
    expect(findRegistryOfSite(never, 'r.example:5000/own:1')).toBeUndefined();
  });
});
