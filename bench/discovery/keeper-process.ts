/** The keeper: claims the job and keeps it, by the product's own code. */
import { parseSite } from '../../src/config/parse-site.ts';
import type { JobEnd } from '../../src/contract/helper-events.ts';
import { claimJob } from '../../src/helper/keeper/claim-job.ts';
import { keepJob } from '../../src/helper/keeper/keep-job.ts';
import { endJob } from '../../src/helper/job/end-job.ts';
import { JobStore } from '../../src/helper/job/job-store.ts';
import type { Lease, Store } from '../../src/ports/store.ts';
import { serveOrders } from './messages.ts';
import type { Done, Order } from './messages.ts';
import { makeScalePlan } from './scale-plan.ts';
import { connectClient } from './store-client.ts';

const site = parseSite(
  'version: 1\netcd: {leaseTtlSeconds: 3600}\ndeadlines: {startSeconds: 3600, discoverSeconds: 3600}',
);
let store: Store | undefined;
let jobStore: JobStore | undefined;
let lease: Lease | undefined;
let kept: Promise<JobEnd> | undefined;

async function open(within: Store, job: string, nodeCount: number): Promise<void> {
  const plan = makeScalePlan(job, nodeCount);
  jobStore = new JobStore({ store: within, prefix: '' }, plan.job);
  lease = await within.grantLease(site.etcd.leaseTtlSeconds);
  const claims = new AsyncDisposableStack();
  await claimJob(jobStore, plan, lease, claims);
  claims.move();
  const never = new AbortController().signal;
  kept = keepJob({ jobStore: jobStore.ofRun(plan), site, plan, cancelled: never, emit: () => undefined });
}

async function end(): Promise<Partial<Done>> {
  if (jobStore === undefined) return {};
  const told = await endJob(jobStore, { by: 'command', exitStatus: 0 });
  const seen = await kept;
  if (JSON.stringify(seen) !== JSON.stringify(told)) return { error: `The keeper saw ${JSON.stringify(seen)}.` };
  return {};
}

async function rest(): Promise<void> {
  await lease?.revoke();
  if (jobStore !== undefined) await jobStore.store.commit({ deletes: [jobStore.ranges.all] });
}

serveOrders(async (order: Order) => {
  if (order.type === 'connect') {
    store = connectClient(order.store);
    await store.read({ start: '/', end: '0' });
  } else if (order.type === 'open' && store !== undefined) await open(store, order.job, order.nodeCount);
  else if (order.type === 'end') return await end();
  else if (order.type === 'rest') await rest();
  return {};
});
