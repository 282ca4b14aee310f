import type { ContainerSpec } from './container-engine.ts';
import type { JobKey } from '../contract/job-key.ts';

/** What a driver reads of a job's plan. What is its own in `network` it checks itself: the plan comes out of the store. */
export interface NetworkPlan {
  readonly job: JobKey;
  /** Tells this run of the job from any other. */
  readonly token: string;
  readonly network: Readonly<Record<string, unknown>> & { readonly cidr: string };
  readonly nodes: readonly NetworkNode[];
}

export interface NetworkNode {
  readonly index: number;
  /** Address of the host itself; absent for a job on one host. */
  readonly hostAddress?: string | undefined;
  /** Of the container. */
  readonly ip: string;
  readonly mac: string;
}

/** How one kind of job network is made on one host. Every method may be called again after a crash. */
export interface NetworkDriver {
  /** What this host needs before the container is created (filters); what to give to the engine. */
  prepare(plan: NetworkPlan, node: NetworkNode): Promise<ContainerSpec['network']>;
  /** Gives the running container its address. Nothing of the job has run in it yet but our agent. */
  attach(plan: NetworkPlan, node: NetworkNode, running: { readonly networkNamespacePath: string }): Promise<void>;
  /** Takes away what the others left on this host; the container is gone already. Repeat-safe. */
  release(job: JobKey): Promise<void>;
  /** Names of what is still there of the job on this host; empty when nothing is. */
  findLeftovers(job: JobKey): Promise<readonly string[]>;
  /** Every job of which something that this driver makes is on this host. */
  findJobs(): Promise<readonly JobKey[]>;
}
