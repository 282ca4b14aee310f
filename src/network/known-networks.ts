import type * as z from 'zod';
import type { JobKey } from '../contract/job-key.ts';
import type { ContainerEngine, ContainerSpec } from '../ports/container-engine.ts';
import type { HostCommands } from '../ports/host-commands.ts';
import type { NetworkDriver } from '../ports/network-driver.ts';
import { bridge } from './bridge/kind.ts';
import type { NetworkKind, NetworkProblem, PlannedNumber, PoolSettings } from './network-kind.ts';
import { vxlan } from './vxlan/kind.ts';

/** All kinds of job networks, by the names that site.yaml and the plan give them. A new one is a folder and a line here. */
const knownNetworks = {
  vxlan,
  bridge,
};

type Known = typeof knownNetworks;
export type NetworkName = keyof Known;
type Addressing = Known[NetworkName]['addressesFrom'];
type NameFrom<From extends Addressing> = {
  [Name in NetworkName]: Known[Name] extends { readonly addressesFrom: From } ? Name : never;
}[NetworkName];
type SettingsSchemas = {
  [Name in NetworkName as Known[Name] extends { readonly settings: unknown } ? Name : never]: Known[Name] extends {
    readonly settings: { readonly schema: infer Schema extends z.ZodType };
  }
    ? Schema
    : never;
};
type AllOf<Parts> = (Parts extends unknown ? (part: Parts) => void : never) extends (all: infer All) => void
  ? All
  : never;
type Planned = AllOf<Known[NetworkName]['planned']>;

/** What the kinds read of the section `network` of site.yaml. */
type NetworkSection = PoolSettings & { readonly [Name in keyof SettingsSchemas]: z.infer<SettingsSchemas[Name]> };

const kinds: Readonly<Record<NetworkName, NetworkKind<NetworkSection>>> = knownNetworks;

export const networkNames = Object.keys(knownNetworks) as readonly NetworkName[];

function namesFrom<From extends Addressing>(from: From): readonly [NameFrom<From>, ...NameFrom<From>[]] {
  const names = networkNames.filter((name) => kinds[name].addressesFrom === from);
  return names as readonly string[] as readonly [NameFrom<From>, ...NameFrom<From>[]];
}

/** For jobs on several hosts; the first is the usual one. */
export const spanningNetworks = namesFrom('site');

/** For jobs on one host. */
export const [hostNetwork] = namesFrom('host');

/** Who keeps the subnets of such networks apart. */
export function addressesOf(name: NetworkName): Addressing {
  return kinds[name].addressesFrom;
}

/** What a job on one host has, as the object of a sentence. */
export const hostNetworkSummary = knownNetworks[hostNetwork].summary;

const allSettings = networkNames.flatMap((name) => {
  const { settings } = kinds[name];
  return settings === undefined ? [] : [{ name, ...settings }];
});

/** The sections of site.yaml below `network`. */
export const networkSettings = Object.fromEntries(
  allSettings.map(({ name, schema }) => [name, schema]),
) as unknown as SettingsSchemas;

/** What must hold across keys of these sections, in words. */
export const networkRules: readonly string[] = allSettings.map(({ rule }) => rule);

/** Where it does not hold. */
export function findNetworkProblems(network: NetworkSection): readonly NetworkProblem[] {
  return allSettings.flatMap(({ findProblems }) => [...findProblems(network)]);
}

/** What every plan says in its section `network` for the kinds, with what it follows from. */
const plannedNumbers: readonly (readonly [string, PlannedNumber<NetworkSection>])[] = networkNames.flatMap((name) =>
  Object.entries(kinds[name].planned),
);

/** The schema of that, a key each. */
export const plannedShape = Object.fromEntries(plannedNumbers.map(([key, { schema }]) => [key, schema])) as unknown as {
  readonly [Key in keyof Planned]: Planned[Key]['schema'];
};

/** That for a job whose subnet has this place in the pool. */
export function planNetwork(network: NetworkSection, subnetIndex: number): { readonly [Key in keyof Planned]: number } {
  const numbers = plannedNumbers.map(([key, { decide }]) => [key, decide(network, subnetIndex)]);
  return Object.fromEntries(numbers) as { readonly [Key in keyof Planned]: number };
}

/**
 * The numbers of a plan beside those that they should be by this host's site.yaml, each with what it follows from. Where
 * the plan's subnet is none of the pool's, those that rest on that are left out.
 */
export function comparePlanned(
  network: NetworkSection,
  subnetIndex: number | undefined,
  planned: { readonly [Key in keyof Planned]: number },
): readonly { readonly follows: string; readonly here: number; readonly planned: number }[] {
  return plannedNumbers.flatMap(([key, { follows, decide }]) => {
    const here = decide(network, subnetIndex);
    return here === undefined ? [] : [{ follows, here, planned: planned[key as keyof Planned] }];
  });
}

/** Programs of the host that root runs for networks of jobs, with the Debian package of each. */
export const networkPrograms: Readonly<Record<string, string>> = Object.assign(
  {},
  ...networkNames.map((name) => kinds[name].programs),
) as Record<string, string>;

/** What the engine is told of a job's container that has this address. */
export function joinNetwork(name: NetworkName, job: JobKey, ip: string): ContainerSpec['network'] {
  return kinds[name].join(job, ip);
}

/** True for the name of a device of a host that belongs to the network of a job. */
export function isNetworkDevice(device: string): boolean {
  return networkNames.some((name) => kinds[name].isOwnDevice?.(device) === true);
}

/** What networks of jobs are made of, in words, once each could be made on this host. Fails with `HOST_UNFIT`; leaves nothing. */
export async function tryNetworks(commands: HostCommands, network: NetworkSection): Promise<string> {
  await Promise.all(networkNames.map(async (name) => await kinds[name].tryHere(commands, network)));
  return `${networkNames.map((name) => kinds[name].makes).join(', ')} and packet filters`;
}

/** The driver of that name, working on the host of these commands. */
export function openNetwork(name: NetworkName, engine: ContainerEngine, commands: HostCommands): NetworkDriver {
  return kinds[name].open(engine, commands);
}
