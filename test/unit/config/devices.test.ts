import { existsSync, readdirSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findDeviceNodes } from '../../../src/config/find-device-nodes.ts';
import { isForbiddenName, isForbiddenNumber } from '../../../src/config/forbidden-devices.ts';
import { readSite } from '../../../src/config/parse-site.ts';
import { findPlannedDevices } from '../../../src/helper/node/find-planned-devices.ts';
import { parseSite } from '../../../src/config/parse-site.ts';

const problemsOf = (nodes: unknown, more: object = {}): readonly string[] =>
  readSite(JSON.stringify({ version: 1, devices: { allowed: [{ name: 'x', nodes, ...more }] } })).problems;

describe('site.yaml can allow no device', () => {
  it.each([
    ...['/dev/mem', '/dev/sg0', '/dev/mapper/control', '/dev/tty*', '/dev/nvme0n1', '/dev/vfio/*', '/dev/input/event0'],
    ...[
      '/dev/*',
      '/dev/*em',
      '/dev/infiniband/*',
      '/dev',
      '/dev/',
      '/dev/../etc/x',
      '/etc/passwd',
      '/dev/a/*/b',
      '/dev/.x',
    ],
    ...['/dev/a//b', '/dev/a b', '/dev/a\n', ''],
  ])('%j', (node) => {
    expect(problemsOf([node])).toHaveLength(1);
  });

  it.each([
    '/dev/infiniband/uverbs*',
    '/dev/infiniband/rdma_cm',
    '/dev/nvidia0',
    '/dev/dri/renderD128',
    '/dev/kfd',
    '/dev/fuse',
  ])('but %s', (node) => {
    expect(problemsOf([node])).toEqual([]);
  });

  it('without a name, twice, or with a word of the engine', () => {
    expect(problemsOf([])).toHaveLength(1);
    expect(problemsOf(['/dev/kfd'], { name: 'A B' })).toHaveLength(1);
    expect(problemsOf(['/dev/kfd'], { permissions: 'rwm' })).toHaveLength(1);
    const twice = { name: 'x', nodes: ['/dev/kfd'] };
    expect(readSite(JSON.stringify({ version: 1, devices: { allowed: [twice, twice] } })).problems).toHaveLength(1);
  });

  it('for an application that names none of them', () => {
    const applications = { 'a:1': { image: 'x', devices: ['infinband'] } };
    const devices = { allowed: [{ name: 'infiniband', nodes: ['/dev/infiniband/uverbs*'] }] };
    expect(readSite(JSON.stringify({ version: 1, devices, applications })).problems).toEqual([
      expect.stringContaining('"infinband" is not a name in devices.allowed; did you mean infiniband?'),
    ]);
  });
});

describe('what is found on this host', () => {
  it('is each character device that matches, by number of its name', async () => {
    expect(await findDeviceNodes(['/dev/zer*', '/dev/full', '/dev/none-here*', '/dev/full'])).toEqual([
      '/dev/zero',
      '/dev/full',
    ]);
  });

  it('is never a link, a directory or a file', async () => {
    expect(await findDeviceNodes(['/dev/stdin', '/dev/fd', '/etc/passwd', '/nowhere/x*'])).toEqual([]);
  });

  it('is refused when it is of the host’s own', async () => {
    const block = readdirSync('/dev').find((name) =>
      statSync(`/dev/${name}`, { throwIfNoEntry: false })?.isBlockDevice(),
    );
    const found = ['/dev/kmsg', '/dev/tty', '/dev/ptmx', ...(block === undefined ? [] : [`/dev/${block}`])];
    for (const path of found.filter((each) => existsSync(each)))
      await expect(findDeviceNodes([path])).rejects.toMatchObject({ code: 'HOST_UNFIT', rule: 'devices.allowed' });
  });

  it('is refused in a directory that others can change', async () => {
    // Everybody may make a node's name there; only root a node, but a site's choice must be root's alone.
    await expect(findDeviceNodes(['/tmp/*'])).rejects.toMatchObject({ code: 'HOST_UNFIT' });
  });

  it('must be there when it was asked for, and need not when every job gets it', async () => {
    const site = parseSite(`
version: 1
devices:
  allowed: [{name: fabric, nodes: [/dev/none-here*], always: true}, {name: fpga, nodes: [/dev/none-here*]}]
`);
    expect(await findPlannedDevices(site, { devices: ['fabric'] }, 'c1')).toEqual([]);
    await expect(findPlannedDevices(site, { devices: ['fpga'] }, 'c1')).rejects.toMatchObject({
      code: 'HOST_UNFIT',
      message: 'Host c1 has no devices "fpga": nothing matches /dev/none-here*.',
    });
    expect(await findPlannedDevices(site, { devices: [] }, 'c1')).toEqual([]);
  });
});

describe('by number, whatever its name,', () => {
  it.each([
    [1, 1, true],
    [1, 5, false],
    [4, 64, true],
    [10, 236, true],
    [10, 200, false],
    [21, 0, true],
    [136, 3, true],
    [195, 0, false],
    [231, 192, false],
  ])('%i:%i is forbidden: %s', (major, minor, expected) => {
    expect(isForbiddenNumber({ major, minor })).toBe(expected);
  });

  it('a name below /dev is judged as a whole', () => {
    expect(isForbiddenName('/dev/memory0')).toBe(false);
    expect(isForbiddenName('/dev/mem')).toBe(true);
  });
});
