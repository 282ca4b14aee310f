import type * as z from 'zod';
import type { HostCommands } from '../ports/host-commands.ts';
import type { NetworkKind, NetworkProblem, PlannedNumber, PoolSettings } from './network-kind.ts';
import { solo } from './solo/kind.ts';
import { vxlan } from './vxlan/kind.ts';

/** All kinds of job networks, by the names that site.yaml and the plan give them. A new one is a folder and a line here. */
const knownNetworks = {
  vxlan,
  solo,
};

type Known = typeof knownNetworks;
export type NetworkName = keyof Known;
type NameFrom<From> = {
  [Name in NetworkName]: Known[Name] extends { addressesFrom: From } ? Name : never;
}[NetworkName];
type AllOf<Part> = (Part extends unknown ? (part: Part) => void : never) extends (all: infer All) => void ? All : never;
type Settings = AllOf<Known[NetworkName]['settings']>;
type Planned = AllOf<Known[NetworkName]['planned']>;

/** What the kinds read of the section `network` of site.yaml. */
type NetworkSection = PoolSettings & { readonly [Name in keyof Settings]: z.infer<Settings[Name]> };

export const networkKinds: Readonly<Record<NetworkName, NetworkKind<NetworkSection>>> = knownNetworks;
const kinds = Object.values(networkKinds);
export const networkNames = Object.keys(networkKinds) as readonly NetworkName[];

/** For jobs on several hosts; the first is the usual one. */
export const spanningNetworks = namesFrom('site');

/** For jobs on one host. */
export const [hostNetwork] = namesFrom('job');

/** What a job on one host has, as the object of a sentence. */
export const { summary: hostNetworkSummary } = knownNetworks[hostNetwork];

function namesFrom<const From extends 'site' | 'job'>(from: From): readonly [NameFrom<From>, ...NameFrom<From>[]] {
  const names = networkNames.filter((name) => networkKinds[name].addressesFrom === from);
  return names as readonly string[] as readonly [NameFrom<From>, ...NameFrom<From>[]];
}

/** The sections of site.yaml below `network`. */
export const networkSettings = Object.assign({}, ...kinds.map(({ settings }) => settings)) as Settings;

/** What must hold across their keys, in words. */
export const networkRules: readonly string[] = kinds.flatMap(({ rule }) => rule?.text ?? []);

/** Where it does not hold; the pool is a CIDR. */
export function findNetworkProblems(network: NetworkSection): readonly NetworkProblem[] {
  return kinds.flatMap(({ rule }) => [...(rule?.findProblems(network) ?? [])]);
}

/** What every plan says in its section `network` for the kinds. */
export const plannedNumbers = kinds.flatMap(({ planned }) => Object.entries(planned)) as readonly (readonly [
  keyof Planned,
  PlannedNumber<NetworkSection>,
])[];

/** The schema of that, a key each. */
export const plannedShape = Object.fromEntries(plannedNumbers.map(([key, { schema }]) => [key, schema])) as {
  readonly [Key in keyof Planned]: z.ZodNumber;
};

/** That of a job whose subnet has this place in the pool. */
export function planNetwork(network: NetworkSection, subnetIndex: number): { readonly [Key in keyof Planned]: number } {
  const numbers = plannedNumbers.map(([key, { decide }]) => [key, decide(network, subnetIndex)]);
  return Object.fromEntries(numbers) as { readonly [Key in keyof Planned]: number };
}

/** Programs of the host that root runs for networks of jobs, with the Debian package of each. */
export const networkPrograms = Object.assign({}, ...kinds.map(({ programs }) => programs)) as Record<string, string>;

/** What networks of jobs are made of, in words, once each could be made on this host. Fails with `HOST_UNFIT`; leaves nothing. */
export async function tryNetworks(commands: HostCommands, network: NetworkSection): Promise<string> {
  await Promise.all(kinds.map(async ({ tryHere }) => await tryHere(commands, network)));
  return `${kinds.map(({ makes }) => makes).join(', ')} and packet filters`;
}
