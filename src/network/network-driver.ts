import type { ContainerEngine } from '../ports/container-engine.ts';
import type { NetworkDriver } from '../ports/network-driver.ts';
import type { JobKey } from '../contract/job-key.ts';
import { bridgeDriver, reserveBridgeSubnet } from './bridge-driver.ts';
import { hostCommands } from './host-commands.ts';
import type { HostCommandOptions } from './host-commands.ts';
import { vxlanDriver } from './vxlan-driver.ts';

export { containerInterface } from './vxlan-link.ts';

export interface NetworkDependencies extends HostCommandOptions {
  readonly engine: ContainerEngine;
}

const drivers = {
  vxlan: vxlanDriver,
  bridge: bridgeDriver,
} as const;

/** Name of a driver as site.yaml writes it. */
export type NetworkDriverName = keyof typeof drivers;

/** The driver of that name, working on this host. */
export function networkDriver(name: NetworkDriverName, dependencies: NetworkDependencies): NetworkDriver {
  return drivers[name](dependencies.engine, hostCommands(dependencies));
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
