import { expect, it } from 'vitest';
import { requireJobKey } from '../../../src/contract/job-key.ts';
import { bridgeDriver } from '../../../src/network/bridge/driver.ts';
import { bridgeNames, deviceOption } from '../../../src/network/bridge/own-network.ts';
import type { ContainerEngine, EngineNetworkSpec, FoundNetwork } from '../../../src/ports/container-engine.ts';
import type { HostCommands } from '../../../src/ports/host-commands.ts';

const job = requireJobKey('12');
const { network: name, device } = bridgeNames(job);
const labels = { 'hpcdj.job': '12', 'hpcdj.subnet': '10.128.4.0/24' };
const own: FoundNetwork = {
  ...{ id: 'own', name, driver: 'bridge', options: { [deviceOption]: device } },
  ...{ isInternal: true, labels },
};
/** Of somebody who has given a network of his our labels. */
const foreign: FoundNetwork = { ...own, id: 'foreign', name: 'mine', options: {} };

const commands: HostCommands = {
  run: () => Promise.resolve(''),
  readSetting: () => Promise.resolve(''),
  findInterface: () => Promise.resolve(undefined),
};

/** A host that has these links. */
function withLinks(links: readonly object[]): HostCommands {
  if (links.length === 0) return commands;
  return {
    ...commands,
    run: (_, argv) => Promise.resolve(argv.includes('link') ? JSON.stringify(links) : '[]'),
    readSetting: (name) => Promise.resolve(name.includes(device) ? '1' : ''),
  };
}

function drive(
  found: readonly FoundNetwork[],
  answers: readonly ('created' | 'overlaps' | 'taken')[] = [],
  links: readonly object[] = [],
) {
  const removed: string[] = [];
  const made: EngineNetworkSpec[] = [];
  const engine: Pick<ContainerEngine, 'findNetworks' | 'findContainers' | 'removeNetwork' | 'createNetwork'> = {
    findNetworks: () => Promise.resolve(found.filter(({ id }) => !removed.includes(id))),
    findContainers: () => Promise.resolve([]),
    removeNetwork: (id) => Promise.resolve(void removed.push(id)),
    createNetwork: (spec) => Promise.resolve(answers[made.push(spec) - 1] ?? 'created'),
  };
  return { driver: bridgeDriver(engine as ContainerEngine, withLinks(links)), removed, made };
}

it('takes away the job’s network, and leaves one alone that only says that it is the job’s', async () => {
  const { driver, removed } = drive([foreign, own]);
  expect(await driver.findLeftovers(job)).toEqual([`Docker network ${name}`]);
  await driver.release(job);
  expect(removed).toEqual(['own']);
  expect(await driver.findLeftovers(job)).toEqual([]);
  expect(await driver.findJobs()).toEqual([]);
});

it('takes the first subnet that the engine has free, and closes the network off', async () => {
  const { driver, made } = drive([], ['overlaps', 'created']);
  expect(await driver.reserve?.(job, ['10.128.4.0/24', '10.128.5.0/24'])).toBe('10.128.5.0/24');
  expect(made[1]).toEqual({
    ...{ name, driver: 'bridge', cidr: '10.128.5.0/24', gateway: '10.128.5.254' },
    options: {
      [deviceOption]: device,
      'com.docker.network.bridge.enable_icc': 'true',
      'com.docker.network.bridge.enable_ip_masquerade': 'false',
    },
    labels: { ...labels, 'hpcdj.subnet': '10.128.5.0/24' },
  });
});

it('refuses a job whose network’s name is somebody else’s', async () => {
  const { driver } = drive([foreign], ['taken']);
  await expect(driver.reserve?.(job, ['10.128.4.0/24'])).rejects.toMatchObject({
    code: 'JOB_BUSY',
    message: `The name or bridge of network ${name} is taken on this host.`,
  });
});

const bridgeDevice = { ifname: device, linkinfo: { info_kind: 'bridge' } };

it.each([
  ['a dummy', [{ ifname: device, linkinfo: { info_kind: 'dummy' } }], 'a dummy'],
  ['a device of no kind', [{ ifname: device }], 'a device of no kind'],
  ['a bridge in use', [bridgeDevice, { ifname: 'eth7', master: device }], 'a bridge with eth7 on it'],
])('refuses to take %s of its name for the bridge of an earlier try', async (_, links, what) => {
  const { driver, made } = drive([], [], links);
  await expect(driver.reserve?.(job, ['10.128.4.0/24'])).rejects.toMatchObject({
    code: 'JOB_BUSY',
    message: `The host has a device ${device} that the job's network did not make: ${what}.`,
  });
  expect(made).toEqual([]);
});

it('takes the empty bridge that an engine has left', async () => {
  const { driver } = drive([], [], [bridgeDevice]);
  expect(await driver.reserve?.(job, ['10.128.4.0/24'])).toBe('10.128.4.0/24');
});
