import { existsSync, readdirSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findDeviceNodes } from '../../../src/config/find-device-nodes.ts';
import { isForbiddenName, isForbiddenNumber } from '../../../src/config/forbidden-devices.ts';
import { readSite } from '../../../src/config/parse-site.ts';
import type { SiteConfig } from '../../../src/config/site-schema.ts';
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

/** The nodes on this host of the devices with these names, for a job to which the scheduler has given so much. */
async function find(
  site: SiteConfig,
  devices: string[],
  gres: Readonly<Record<string, readonly number[]>> = {},
): Promise<readonly string[]> {
  const authority = { name: 'slurm' as const, readGres: () => Promise.resolve(new Map(Object.entries(gres))) };
  return await findPlannedDevices(site, authority, { devices, schedulerJobId: '7' }, 'c1');
}

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
    expect(await find(site, ['fabric'])).toEqual([]);
    await expect(find(site, ['fpga'])).rejects.toMatchObject({
      code: 'HOST_UNFIT',
      message: 'Host c1 has no devices "fpga": nothing matches /dev/none-here*.',
    });
    expect(await find(site, [])).toEqual([]);
  });
});

describe('devices of a GRES', () => {
  const site = parseSite(`
version: 1
devices:
  allowed:
    - {name: gpu, gres: gpu, nodes: [/dev/zero]}
    - {name: lamp, gres: lamp, nodes: [/dev/zero], always: true}
    - {name: gone, gres: gpu, nodes: ["/dev/none-here{index+7}"], always: true}
`);

  it('are given to a job that has it, by the scheduler’s word alone', async () => {
    expect(await find(site, ['lamp'], { lamp: [3] })).toEqual(['/dev/zero']);
    expect(await find(site, ['lamp'], { gpu: [3] })).toEqual([]);
    expect(await find(site, ['lamp'])).toEqual([]);
    await expect(find(site, ['gpu'], { lamp: [0] })).rejects.toMatchObject({
      code: 'DEVICE_NOT_ALLOWED',
      rule: 'devices.allowed "gpu".gres',
      hint: 'Ask for it when you submit: --gres=gpu:1.',
    });
  });

  it('must be there when they were allotted', async () => {
    await expect(find(site, ['gone'], { gpu: [1] })).rejects.toMatchObject({
      code: 'HOST_UNFIT',
      message: 'Host c1 has no devices "gone": nothing matches /dev/none-here8.',
    });
  });

  it('cannot be named by an index where there is none', () => {
    expect(problemsOf(['/dev/nvidia{index}'])).toEqual([expect.stringContaining('has an {index}, which needs gres')]);
    expect(problemsOf(['/dev/nvidia{index}', '/dev/dri/renderD{index+128}'], { gres: 'gpu' })).toEqual([]);
    expect(problemsOf(['/dev/tty{index}'], { gres: 'gpu' })).toHaveLength(1);
    expect(problemsOf(['/dev/nvidia{minor}'], { gres: 'gpu' })).toHaveLength(1);
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
