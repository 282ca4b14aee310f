import type { ContainerEngine } from '../ports/container-engine.ts';
import type { NetworkDriver } from '../ports/network-driver.ts';
import type { JobKey } from '../contract/job-key.ts';
import { bridgeDriver, reserveBridgeSubnet } from './bridge-driver.ts';
import { hostCommands } from './host-commands.ts';
import type { HostCommandOptions, HostCommands } from './host-commands.ts';
import { vxlanDriver } from './vxlan-driver.ts';

export { containerInterface } from './vxlan-link.ts';

export interface NetworkDependencies extends HostCommandOptions {
  readonly engine: ContainerEngine;
}

interface KnownNetwork {
  /** Who keeps jobs' subnets apart: the site, by a claim in the store, or each host for itself. */
  readonly addressesFrom: 'site' | 'host';
  readonly driver: (engine: ContainerEngine, commands: HostCommands) => NetworkDriver;
}

/** All kinds of job networks, by the names that site.yaml and the plan give them. A new one is a driver and a line here. */
const knownNetworks = {
  vxlan: { addressesFrom: 'site', driver: vxlanDriver },
  bridge: { addressesFrom: 'host', driver: bridgeDriver },
} as const satisfies Readonly<Record<string, KnownNetwork>>;

export type NetworkName = keyof typeof knownNetworks;

export const networkNames = Object.keys(knownNetworks) as readonly NetworkName[];

/** Who keeps the subnets of such networks apart. */
export function addressesOf(name: NetworkName): KnownNetwork['addressesFrom'] {
  return knownNetworks[name].addressesFrom;
}

/** The driver of that name, working on this host. */
export function networkDriver(name: NetworkName, dependencies: NetworkDependencies): NetworkDriver {
  return knownNetworks[name].driver(dependencies.engine, hostCommands(dependencies));
}

/**
 * Claims a subnet for a job on one host by making its bridge: the first candidate that nobody on this host uses. The
 * driver's `prepare` then finds it made. Undone by the bridge driver's `release`.
 */
export async function reserveHostSubnet(
  job: JobKey,
  candidates: readonly string[],
  dependencies: NetworkDependencies,
): Promise<string> {
  return await reserveBridgeSubnet(dependencies.engine, hostCommands(dependencies), job, candidates);
}
