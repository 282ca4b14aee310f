import { expect, it } from 'vitest';
import { findForbiddenImages } from '../../../src/config/find-forbidden-images.ts';
import { parseSite } from '../../../src/config/parse-site.ts';

it('names the aliases and queues whose image no job may have, and no others', () => {
  const site = parseSite(`version: 1
images: {allowed: [lab/*]}
applications: {of: {image: lab/of:1}}
lsf:
  aliases: {bad: {image: 'other/x:1'}, good: {image: 'lab/mpi:1'}, named: {application: of}}
  queues: {docker: {image: 'lab/mpi:1'}, closed: {image: 'elsewhere/y:2'}}
`);
  expect(findForbiddenImages(site)).toEqual([
    'lsf.aliases.bad.image: "other/x:1" is not allowed by images.allowed, so every such job would be refused',
    'lsf.queues.closed.image: "elsewhere/y:2" is not allowed by images.allowed, so every such job would be refused',
  ]);
});
