import type { JobPlan, PlannedNode } from '../contract/job-plan.ts';
import type { ContainerSpec } from './container-engine.ts';
import type { JobKey } from '../contract/job-key.ts';

/** How one kind of job network is made on one host. Every method may be called again after a crash. */
export interface NetworkDriver {
  readonly name: string;
  /** What this host needs before the container is created (filters, a Docker network); what to give to the engine. */
  prepare(plan: JobPlan, node: PlannedNode): Promise<ContainerSpec['network']>;
  /** Gives the running container its address. Nothing of the job has run in it yet but our agent. */
  attach(plan: JobPlan, node: PlannedNode, running: { readonly networkNamespacePath: string }): Promise<void>;
  /** Takes away what `prepare` and `attach` left on this host; the container is gone already. Repeat-safe. */
  release(job: JobKey): Promise<void>;
  /** Names of what is still there of the job on this host; empty when nothing is. */
  findLeftovers(job: JobKey): Promise<readonly string[]>;
  /** Every job of which something that this driver makes is on this host. */
  findJobs(): Promise<readonly JobKey[]>;
}
