import { hostname } from 'node:os';
import * as z from 'zod';
import type { StoreEntry } from '../../ports/store.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import { earlierRunKey, earlierRunsRange, keyOnly } from '../../contract/kvs-keys.ts';
import { freeSubnet } from './claim-subnet.ts';
import type { JobStore, SiteStore } from './job-store.ts';
import { findJsonAs } from '../../values/parse-json-as.ts';

/** A run of a job whose place a later run has taken: some of its hosts may still have something of it. */
const earlierRunSchema = z.object({
  job: z.string(),
  /** Of that run. */
  token: z.string(),
  /** Its subnet, which nobody gets before the last of these hosts is clean. */
  cidr: z.string(),
  /** Hosts that have not said that they are clean. */
  hosts: z.array(z.string()),
  since: z.string(),
});
export type EarlierRun = z.infer<typeof earlierRunSchema>;

/** What a later run leaves in the store of the one before it. */
export function describeEarlierRun(plan: JobPlan, hosts: readonly string[]): EarlierRun {
  const { job, token, network } = plan;
  return { job, token, cidr: network.cidr, hosts: [...hosts], since: new Date().toISOString() };
}

interface Found {
  readonly entry: StoreEntry;
  readonly run: EarlierRun;
}

async function findEarlierRuns({ store, prefix }: SiteStore): Promise<readonly Found[]> {
  return (await store.read(earlierRunsRange(prefix))).flatMap((entry) => {
    const run = parseEarlierRun(entry.value);
    return run === undefined ? [] : [{ entry, run }];
  });
}

/** The run that stands in a value, or undefined: operators and other releases write into the store, too. */
export function parseEarlierRun(value: string): EarlierRun | undefined {
  return findJsonAs(earlierRunSchema, value);
}

/** Every run of the site whose place another one has taken and that is not gone from every host. */
export async function readEarlierRuns(site: SiteStore): Promise<readonly EarlierRun[]> {
  return (await findEarlierRuns(site)).map(({ run }) => run);
}

/** True when this host may have something of an earlier run of the job. */
export function isNamedHere({ hosts }: EarlierRun): boolean {
  return hosts.some(isOwnName);
}

function isOwnName(name: string): boolean {
  const short = (text: string): string => text.split('.')[0] ?? text;
  return short(name) === short(hostname());
}

const tries = 20;

/**
 * Says that nothing of the job's earlier runs is on this host any more; the last host frees their subnets. To be called once
 * that is so. Fails with `STORE_UNREACHABLE`.
 */
export async function leaveEarlierRuns(jobStore: JobStore): Promise<void> {
  for (let left = tries; left > 0; left -= 1) {
    const found = await findEarlierRuns(jobStore);
    const named = found.find(({ run }) => run.job === jobStore.job && isNamedHere(run));
    if (named === undefined) return;
    await leave(jobStore, named);
  }
}

/** Another host may be quicker: then nothing is changed, and the caller looks again. */
async function leave({ store, prefix }: SiteStore, { entry, run }: Found): Promise<void> {
  const key = earlierRunKey(prefix, run.token);
  const conditions = [{ kind: 'value', key, equals: entry.value }] as const;
  const hosts = run.hosts.filter((name) => !isOwnName(name));
  if (hosts.length > 0) {
    await store.commit({ conditions, puts: [{ key, value: JSON.stringify({ ...run, hosts }) }] });
    return;
  }
  // The subnet first: a record without a subnet is found again, a subnet without a record would be an orphan.
  await freeSubnet(store, { prefix, ...run });
  await store.commit({ conditions, deletes: [keyOnly(key)] });
}

/** For root, who has looked at the hosts: forgets the earlier runs of a job and frees their subnets. Returns how many. */
export async function forgetEarlierRuns(jobStore: JobStore): Promise<number> {
  const { store, prefix, job } = jobStore;
  const found = (await findEarlierRuns(jobStore)).filter(({ run }) => run.job === job);
  for (const { entry, run } of found) {
    await freeSubnet(store, { prefix, ...run });
    await store.commit({ deletes: [keyOnly(entry.key)] });
  }
  return found.length;
}
