import { expect, it } from 'vitest';
import { explainRegistryFault } from '../../../src/docker/registry-fault.ts';

/** What a Docker Engine 20.10 said, of a registry at r:5000 that was made to fail. */
it.each([
  ['unauthorized: authentication required', 'REGISTRY_UNUSABLE'],
  ['Head "https://r:5000/v2/app/manifests/latest": no basic auth credentials', 'REGISTRY_UNUSABLE'],
  ["pull access denied for r:5000/app, repository does not exist or may require 'docker login'", 'IMAGE_NOT_PRESENT'],
  ['manifest for r:5000/app@sha256:2c not found: manifest unknown: manifest unknown', 'IMAGE_NOT_PRESENT'],
  ['error pulling image configuration: download failed after attempts=1: unknown blob', 'IMAGE_NOT_PRESENT'],
  ['name unknown', 'IMAGE_NOT_PRESENT'],
  ['toomanyrequests: as the test wants it', 'IMAGE_NOT_FETCHED'],
  ['received unexpected HTTP status: 503 Service Unavailable', 'IMAGE_NOT_FETCHED'],
  ['download failed after attempts=6: unexpected EOF', 'IMAGE_NOT_FETCHED'],
  ['image config verification failed for digest sha256:6f', 'IMAGE_NOT_FETCHED'],
  ['filesystem layer verification failed for digest sha256:6f', 'IMAGE_NOT_FETCHED'],
  ['Get "https://r:5000/v2/": dial tcp 10.0.0.1:5000: connect: connection refused', 'IMAGE_NOT_FETCHED'],
  ['Get "https://r:5000/v2/": net/http: TLS handshake timeout', 'IMAGE_NOT_FETCHED'],
  ['Get "https://r:5000/v2/": dial tcp: lookup r on 10.0.0.1:53: no such host', 'REGISTRY_UNUSABLE'],
  ['Get "https://r:5000/v2/": x509: certificate signed by unknown authority', 'REGISTRY_UNUSABLE'],
  ['Get "https://r:5000/v2/": http: server gave HTTP response to HTTPS client', 'REGISTRY_UNUSABLE'],
  ['no matching manifest for linux/amd64 in the manifest list entries', 'IMAGE_UNUSABLE'],
  ['failed to register layer: write /data: no space left on device', 'HOST_UNFIT'],
  // As engines with containerd's image store say it.
  ['no match for platform in manifest: not found', 'IMAGE_UNUSABLE'],
  ['unexpected status from HEAD request to https://r:5000/v2/app/manifests/1: 401 Unauthorized', 'REGISTRY_UNUSABLE'],
  ['failed to resolve reference "r:5000/app:1": r:5000/app:1: not found', 'IMAGE_NOT_PRESENT'],
  ['unexpected status from GET request to https://r:5000/v2/: 429 Too Many Requests', 'IMAGE_NOT_FETCHED'],
  ['something that nobody has seen', 'IMAGE_NOT_FETCHED'],
])('tells "%s" as %s', (said, code) => {
  const error = explainRegistryFault('r:5000', said);
  expect(error).toMatchObject({ code, hint: expect.stringMatching(/\w/) as string });
  expect(error.message).toContain(said);
});

it('is quick and in one line, whatever a registry says', () => {
  const startedAt = performance.now();
  const { message } = explainRegistryFault('r:5000', 'image operating system \n'.repeat(20_000));
  expect(performance.now() - startedAt).toBeLessThan(200);
  expect(message.length).toBeLessThan(500);
  expect(message).not.toContain('\n');
});
