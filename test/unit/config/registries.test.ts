import { expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';

const withImages = (images: string) => parseSite(`version: 1\nimages: ${images}\n`);

it('fetches nothing by default', () => {
  expect(parseSite('version: 1').images).toMatchObject({ pull: 'never', registries: [] });
});

it.each([
  ['{pull: missing}', 'needs images.registries'],
  ['{pull: always}', 'expected one of never, missing, newer'],
  ['{registries: [{host: "r.example:5000"}, {host: "r.example:5000"}]}', 'stands twice'],
  ['{registries: [{host: "r.example:0"}]}', 'expected a registry'],
  ['{registries: [{host: "../../etc"}]}', 'expected a registry'],
  ['{registries: [{host: "*.example"}]}', 'expected a registry'],
  ['{registries: [{host: "head"}]}', 'expected a registry'],
  ['{registries: [{host: "https://r.example"}]}', 'expected a registry'],
  ['{registries: [{host: "index.docker.io"}]}', 'must be written docker.io'],
  ['{registries: [{host: "docker.io", caFile: /etc/ca.pem}]}', 'must be empty for docker.io'],
  ['{registries: [{host: "r.example", password: x}]}', 'password'],
  ['{fetchSeconds: 0}', 'expected whole seconds from 1 to 7200'],
])('refuses %s', (images, words) => {
  expect(() => withImages(images)).toThrow(words);
});

it('lets no mount bring the credentials into containers', () => {
  const text = `version: 1
images: {pull: missing, registries: [{host: "r.example", credentialsFile: /srv/site/login.json}]}
mounts: {allowed: [{source: /srv/site}]}`;
  expect(() => parseSite(text)).toThrow('would bring /srv/site/login.json into containers');
});
