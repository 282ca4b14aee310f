import type * as z from 'zod';
import type { ContainerEngine } from '../ports/container-engine.ts';
import type { HostCommands } from '../ports/host-commands.ts';
import type { NetworkDriver } from '../ports/network-driver.ts';

/**
 * All that there is to know of one kind of job networks; `Section` is what it reads of the section `network` of
 * site.yaml. It touches a host by the commands and the engine that `open` is given, so that every program may read it.
 */
export type NetworkKind<Section = PoolSettings> = Addressing & {
  /** Its own keys in that section. */
  readonly settings: Readonly<Record<string, z.ZodType>>;
  readonly rule?: NetworkRule<Section>;
  /** What it needs in a plan. Every plan has the numbers of every kind, so no two kinds use the same name. */
  readonly planned: Readonly<Record<string, PlannedNumber<Section>>>;
  /** Programs that its driver runs, with the Debian package of each. */
  readonly programs: Readonly<Record<string, string>>;
  /** What `tryHere` makes, in words. */
  readonly makes: string;
  /** Makes what the driver needs the kernel for, apart from the host. Leaves nothing; fails with `HOST_UNFIT`. */
  readonly tryHere: (commands: HostCommands, network: Section) => Promise<unknown>;
  readonly open: (engine: ContainerEngine, commands: HostCommands) => NetworkDriver;
};

/**
 * Who keeps subnets apart: the site, by a claim in the store; or nobody needs to, since the job meets no other, which can
 * only be for jobs on one host. Of such a network `summary` says what the job has.
 */
type Addressing = { readonly addressesFrom: 'site' } | { readonly addressesFrom: 'job'; readonly summary: string };

/** What every kind knows of the section. */
export interface PoolSettings {
  readonly pool: string;
  readonly prefixLength: number;
}

/** What must hold across keys of the section, with a clause that says so in the reference. */
export interface NetworkRule<Section> {
  readonly text: string;
  readonly findProblems: (network: Section) => Iterable<NetworkProblem>;
}

/** What is wrong in the section, and what else that rests on, by paths below it. */
export interface NetworkProblem {
  readonly path: readonly string[];
  readonly message: string;
  readonly uses: readonly (readonly string[])[];
}

/** A number of the plan's section `network`, the same for every host of the job. */
export interface PlannedNumber<Section> {
  readonly schema: z.ZodNumber;
  /** What of site.yaml it follows from, for messages. */
  readonly follows: string;
  /** By the subnet's place in the pool. Undefined when it rests on that and the subnet is none of the pool's. */
  readonly decide: (network: Section, subnetIndex: number | undefined) => number | undefined;
}
