import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { layOut } from '../../../lab/layout.ts';
import { findInstallation } from '../../../lab/lsf/find-installation.ts';
import { renderInstallation } from '../../../lab/lsf/installation-files.ts';
import { configDir, serverDir } from '../../../lab/lsf/lsf-files.ts';
import { parseAssignments } from '../../../lab/lsf/settings.ts';
import { parseSections } from '../../../src/lsf/configuration/parse-configuration.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp('/opt/lsf-');
  await chmod(directory, 0o755);
});
afterEach(() => rm(directory, { recursive: true }));

const commands = ['bsub', 'bjobs', 'bkill', 'bstop', 'bresume', 'bqueues', 'bhosts', 'lsrun'];
const daemons = ['lim', 'res', 'sbatchd', 'mbatchd'];

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(`${directory}/${name}/..`.replace(/[^/]+\/\.\.$/, ''), { recursive: true });
    await writeFile(`${directory}/${name}`, text, { mode: 0o755 });
  }
}

const programs = (place: string, names: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(names.map((name) => [`${place}/${name}`, '#!/bin/sh\n']));

describe('findInstallation', () => {
  it.each([
    ['IBM’s', 'conf', '10.1/linux3.10-glibc2.17-x86_64/bin', '10.1/linux3.10-glibc2.17-x86_64/etc'],
    ['one directory', 'etc', 'bin', 'sbin'],
  ])('knows the layout of %s', async (_, conf, bin, server) => {
    await write({ [`${conf}/lsf.conf`]: 'X=1\n', ...programs(bin, commands), ...programs(server, daemons) });
    expect(await findInstallation(directory)).toMatchObject({
      conf: 'X=1\n',
      binDirectory: `${directory}/${bin}`,
      serverDirectory: `${directory}/${server}`,
      hasBlaunch: false,
    });
  });

  it('follows lsf.conf to programs in unusual places', async () => {
    const text = (): string => `LSF_BINDIR=${directory}/b\nLSF_SERVERDIR="${directory}/s"\n`;
    await write({ 'conf/lsf.conf': text(), ...programs('b', [...commands, 'blaunch']), ...programs('s', daemons) });
    expect(await findInstallation(directory)).toMatchObject({ binDirectory: `${directory}/b`, hasBlaunch: true });
  });

  it('names all that is missing at once', async () => {
    await write({ 'conf/lsf.conf': '', ...programs('bin', ['bsub', 'bjobs']), ...programs('etc', ['sbatchd', 'lim']) });
    const failure = await findInstallation(directory).catch(String);
    for (const word of ['bkill, bstop, bresume, bqueues, bhosts', 'res, mbatchd', 'neither blaunch nor lsrun'])
      expect(failure).toContain(word);
  });

  it.each([
    ['lsf', 'not an absolute path'],
    ['/opt/no-such-lsf', 'no such directory'],
    ['/tmp', 'do not see /tmp'],
    ['/opt', 'lsf.conf is neither in conf nor in etc'],
  ])('refuses %s', async (path, reason) => {
    await expect(findInstallation(path)).rejects.toThrow(reason);
  });

  it('refuses a bjobs that somebody else could change: the product asks it as root', async () => {
    await write({ 'conf/lsf.conf': '', ...programs('bin', commands), ...programs('sbin', daemons) });
    await chown(`${directory}/bin/bjobs`, 65534, 65534);
    await expect(findInstallation(directory)).rejects.toThrow('bin/bjobs is not root');
  });
});

describe('renderInstallation', () => {
  const layout = layOut({ name: 'mine', hosts: 3, etcdMembers: 1, lsf: 'plain', lsfDirectory: '/opt/lsf' });
  const files = renderInstallation(layout, {
    directory: '/opt/lsf',
    conf: 'LSF_LICENSE_FILE=/opt/lsf/licence\nLSF_SERVERDIR=/opt/lsf/etc\n  LSB_CONFDIR = /opt/lsf/conf\n',
    shared:
      'Begin Cluster\nClusterName Servers\nsite (a b)\nEnd Cluster\n\nBegin HostType\nTYPENAME\nLINUX\nEnd HostType\n',
    ...{ binDirectory: '/opt/lsf/bin', serverDirectory: '/opt/lsf/etc', libDirectory: undefined, hasBlaunch: false },
  });

  it('keeps what the site says in lsf.conf, but for the places and ports', () => {
    const conf = parseAssignments(files['lsf.conf'] ?? '');
    expect(conf.get('LSF_LICENSE_FILE')).toBe('/opt/lsf/licence');
    expect(conf.get('LSF_SERVERDIR')).toBe(serverDir);
    expect(conf.get('LSB_CONFDIR')).toBe(`${configDir}/lsbatch`);
    expect(files['lsf.conf']?.match(/LSB_CONFDIR/g)).toHaveLength(1);
  });

  it('names one cluster, and keeps the types of hosts', () => {
    expect(files['lsf.shared']).toBe(
      'Begin Cluster\nClusterName\nmine\nEnd Cluster\n\nBegin HostType\nTYPENAME\nLINUX\nEnd HostType\n',
    );
  });

  it('has every host, the head as the master without slots', () => {
    expect(files['lsf.cluster.mine']).toContain('RESOURCES\nhead ! ! 1 - - - ()\nnode1 ! ! 1 - - - ()\n');
    expect(files['lsb.hosts']).toContain('head 0 ()');
    expect(files['lsb.hosts']).toContain('node3 3 ()');
  });

  it('has the queues of docs/lsf.md', () => {
    expect(parseSections(files['lsb.queues'] ?? '', 'Queue', 'QUEUE_NAME').map(({ name }) => name)).toEqual([
      'normal',
      'docker',
    ]);
  });
});
