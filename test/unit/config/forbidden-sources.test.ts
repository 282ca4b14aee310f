import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkConfigFile } from '../../../src/config/check-config.ts';
import { findForbidden } from '../../../src/config/forbidden-sources.ts';
import { loadSite } from '../../../src/config/load-site.ts';
import { readSite } from '../../../src/config/parse-site.ts';

const siteWith = (source: string): string => `version: 1\nmounts: { allowed: [{ source: ${source}, target: /x }] }\n`;

describe('a mount that no site may allow', () => {
  it.each([
    ...['/proc', '/sys/fs', '/dev/shm', '/etc', '/etc/ssh', '/root', '/root/x', '/boot/efi'],
    ...['/run', '/var/run/docker.sock', '/run/docker.sock', '/run/containerd/containerd.sock', '/run/hpc-dockerjob'],
    ...['/var', '/var/lib', '/var/lib/docker', '/var/lib/docker/volumes', '/var/lib/containerd'],
  ])('is %s', (source) => {
    expect(readSite(siteWith(source)).problems).toEqual([expect.stringContaining('mounts.allowed[0].source')]);
  });

  it.each(['/home', '/scratch', '/var/tmp', '/opt', '/usr/share', '/data/etc', '/etcetera', '/srv/run'])(
    'is not %s',
    (source) => {
      expect(findForbidden(source)).toBeUndefined();
    },
  );
});

describe('a mount that leads by a link to where none may', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'forbidden-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it.each(['/', '/etc', '/var/lib', '../../../../../../etc'])('is told and not loaded: %s', async (target) => {
    const [link, file] = [join(directory, 'link'), join(directory, 'site.yaml')];
    await symlink(target, link);
    await writeFile(file, siteWith(link));
    expect(await checkConfigFile(file)).toEqual([expect.stringMatching(/link" leads to \/.* may never be mounted/)]);
    await expect(loadSite(file, { mustBeTrusted: false })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('is none when the link leads elsewhere, or nowhere', async () => {
    const file = join(directory, 'site.yaml');
    await symlink(tmpdir(), join(directory, 'link'));
    for (const name of ['link', 'nothing']) {
      await writeFile(file, siteWith(join(directory, name)));
      expect(await checkConfigFile(file)).toEqual([]);
    }
  });
});
