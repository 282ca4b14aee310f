import type { JobKey } from '../../contract/job-key.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import {
  controlRange,
  jobFieldKey,
  jobRange,
  keyOnly,
  nodeFieldKey,
  nodeRange,
  nodesRange,
} from '../../contract/kvs-keys.ts';
import type { JobField, KeyRange, NodeField } from '../../contract/kvs-keys.ts';
import type { Condition, Lease, Put, Reading, Store, StoreEntry } from '../../ports/store.ts';
import { awaitState } from '../../system/await-state.ts';
import type { AwaitStateOptions } from '../../system/await-state.ts';
import type { JobError } from '../../values/errors.ts';
import { JobStateParser } from './job-state.ts';
import type { JobState } from './job-state.ts';
import { storeOfRun } from './store-of-run.ts';

/** The judge's value, or the job as it was last seen when the deadline passed. */
export type JobOutcome<T> =
  | { readonly kind: 'reached'; readonly value: T }
  | { readonly kind: 'timeout'; readonly last: JobState; readonly outage: JobError | undefined };

/** Which part of a job's keys is read; a number: those of this node. */
export type JobPart = 'all' | 'control' | 'nodes' | number;

/** Where the store is, and how the site's keys begin in it; a `JobStore` is one. */
export interface SiteStore {
  readonly store: Store;
  /** `site.keyPrefix` of site.yaml. */
  readonly prefix: string;
}

/** One job in the store: the site's prefix and the job's name are bound once. Calls fail as the store's do; disposing closes the store. */
export class JobStore implements SiteStore {
  readonly store: Store;
  readonly prefix: string;
  readonly job: JobKey;
  readonly ranges: Readonly<Record<'all' | 'control' | 'nodes', KeyRange>>;

  constructor({ store, prefix }: SiteStore, job: JobKey) {
    this.store = store;
    this.prefix = prefix;
    this.job = job;
    this.ranges = { all: jobRange(prefix, job), control: controlRange(prefix, job), nodes: nodesRange(prefix, job) };
  }

  key(field: JobField): string {
    return jobFieldKey(this.prefix, this.job, field);
  }

  nodeKey(index: number, field: NodeField): string {
    return nodeFieldKey(this.prefix, this.job, index, field);
  }

  nodeRange(index: number): KeyRange {
    return nodeRange(this.prefix, this.job, index);
  }

  private rangeOf(part: JobPart): KeyRange {
    return typeof part === 'number' ? this.nodeRange(part) : this.ranges[part];
  }

  /** FINISH is FALSE. */
  get isRunning(): Condition {
    return this.has('FINISH', 'FALSE');
  }

  /** The job has a plan: it has not been released. */
  get isOpen(): Condition {
    return { kind: 'present', key: this.key('PLAN') };
  }

  has(field: JobField, equals: string): Condition {
    return { kind: 'value', key: this.key(field), equals };
  }

  lacks(field: JobField): Condition {
    return { kind: 'absent', key: this.key(field) };
  }

  /** What these entries say of the job. Fails with `PLAN_UNREADABLE`. */
  parse(entries: readonly StoreEntry[]): JobState {
    return new JobStateParser(this.prefix, this.job).take({ isWhole: true, entries });
  }

  /** The job as its keys say now. Fails with `STORE_UNREACHABLE`, and with `PLAN_UNREADABLE` when another release wrote its plan. */
  async read(part: JobPart = 'all'): Promise<JobState> {
    return this.parse(await this.store.read(this.rangeOf(part)));
  }

  /** The value of one field; undefined when it is not there. */
  async readField(field: JobField): Promise<string | undefined> {
    const [entry] = await this.store.read(keyOnly(this.key(field)));
    return entry?.value;
  }

  /** Waits until `judge` finds a value in the job's state, as `awaitState` does. */
  async until<T>(
    judge: (state: JobState) => T | undefined,
    { part = 'all', ...options }: AwaitStateOptions & { readonly part?: JobPart } = {},
  ): Promise<JobOutcome<T>> {
    const parser = new JobStateParser(this.prefix, this.job);
    let last: JobState | undefined;
    const look = (_: unknown, news: Reading): T | undefined => {
      last = parser.take(news);
      return judge(last);
    };
    const outcome = await awaitState(this.store, this.rangeOf(part), look, options);
    if (outcome.kind === 'reached') return outcome;
    return { kind: 'timeout', last: last ?? this.parse([]), outage: outcome.outage };
  }

  /** Writes fields of the job while it runs; false when it is over. With `lease` they vanish when that ends. */
  async putWhileRunning(fields: Partial<Record<JobField, string>>, lease?: Lease): Promise<boolean> {
    return await this.store.commit({ conditions: [this.isRunning], puts: this.putsOf(fields, lease) });
  }

  putsOf(fields: Partial<Record<JobField, string>>, lease?: Lease): readonly Put[] {
    const held = lease === undefined ? {} : { lease };
    return Object.entries(fields).map(([field, value]) => ({ key: this.key(field as JobField), value, ...held }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
  }

  /** The same job as this run of it may write to it, see `storeOfRun`. */
  ofRun({ token }: Pick<JobPlan, 'token'>): JobStore {
    return new JobStore({ store: storeOfRun(this.store, this.has('RUN', token)), prefix: this.prefix }, this.job);
  }
}
