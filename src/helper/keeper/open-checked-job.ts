import type { SiteConfig } from '../../config/site-schema.ts';
import type { ConfirmedJob } from '../../ports/scheduler.ts';
import type { Lease, Store } from '../../ports/store.ts';
import { decideForAnybody, decideRequest } from '../../policy/decide-request.ts';
import { allOrNone } from '../../system/all-or-none.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import { formatPlan } from '../../contract/plan-text.ts';
import type { JobRequest } from '../../contract/job-request.ts';
import { decidePlan, resolveHosts } from './decide-plan.ts';
import { makeToken } from '../job/make-token.ts';
import { requireJobCgroup } from '../caller/refuse-outsiders.ts';
import { requireUser } from '../caller/identify-caller.ts';
import type { HelperContext } from '../open-context.ts';
import { inGroupOfJob, readUser } from '../../system/read-user.ts';
import type { Orders } from './receive-orders.ts';
import { claimJob } from './claim-job.ts';
import { auditRefusal, confirmRequest, requireHostOfJob } from './confirm-request.ts';
import { leaveTrace, openLocalStore, reachSharedStore } from './open-job-store.ts';
import { checkOpening, spendOpening } from './opening-budget.ts';
import { readJobRequest } from './read-job-request.ts';
import { once } from '../../values/once.ts';
import type { JobStore } from '../job/job-store.ts';
import { jobStoreOf } from '../job/open-store.ts';
import { reserveSubnet } from './reserve-subnet.ts';
import { resolveImage } from './resolve-image.ts';

/** A job that is ours: planned, claimed in its store, held by a lease. */
export interface Opened {
  readonly plan: JobPlan;
  /** As its scheduler has confirmed it. */
  readonly given: ConfirmedJob;
  /** As this run of the job may write to it. */
  readonly jobStore: JobStore;
  readonly lease: Lease;
  /** What the user should know, though nothing is wrong. */
  readonly notes: readonly string[];
}

/** Checks everything again as root, claims the job and its subnet, writes the plan. */
export async function openCheckedJob(
  context: HelperContext,
  orders: Orders,
  undo: AsyncDisposableStack,
): Promise<Opened> {
  const { site, engine } = context;
  const uid = requireUser(context.caller);
  const request = readJobRequest(await orders.request, site);
  context.audit.about(request.job);
  const authority = context.authorities.of(request.scheduler);
  const wanted = { ...request, hostCount: request.hosts.length };
  // An image that nobody may have is refused at once; which one it is does not rest on who asks.
  const imageReference = auditRefusal(context, request, () => decideForAnybody(site, wanted));
  // Looking costs nothing, so all of it is done at once; what changes anything waits for the scheduler's word.
  // Of several reasons to refuse, the scheduler's word is the one that is told.
  const [confirmed, user, local, hostAddresses, sharedStore, cgroup] = await allOrNone([
    confirmRequest(context, authority, request, uid),
    readUser(uid),
    engine.findImage(imageReference),
    resolveHosts(namesOf(request)),
    request.hosts.length > 1 ? reachSharedStore(context, request, uid, undo) : undefined,
    requireJobCgroup(site, authority, { schedulerJobId: request.schedulerJobId, uid, job: request.job }),
  ]);
  if (cgroup === undefined) requireHostOfJob(context, request, hostAddresses);
  const decision = auditRefusal(context, request, () => decideRequest(site, wanted, { user, queue: confirmed.queue }));
  const allow = once(async () => {
    context.audit.allow('owner-and-policy', { image: decision.imageReference, hosts: namesOf(request) });
    await context.audit.requireWritable();
  });
  const image = await resolveImage(context, {
    ...{ request: wanted, decision, local, host: request.hosts[0]?.name ?? '?' },
    requester: { user, queue: confirmed.queue },
    ...{ cancelled: orders.cancelled, beforeAsking: allow },
  });
  await allow();
  const store = sharedStore ?? (await openLocalStore(context, confirmed, undo));
  const token = makeToken();
  const opening = { uid, job: confirmed.job };
  if (sharedStore !== undefined) await checkOpening(opening);
  // Undone unless the job becomes ours; afterwards the release undoes them, once no host uses them any more.
  await using claims = new AsyncDisposableStack();
  if (sharedStore !== undefined) await leaveTrace(confirmed, undo, claims);
  const [subnet, lease] = await allOrNone([
    reserveSubnet(context, store, request, { driver: decision.driver, token, uid }, claims),
    grantLease(store, site, claims),
  ]);
  const gid = confirmed.gid ?? request.gid;
  const decided = decidePlan({
    site,
    request,
    decision,
    confirmed,
    user: inGroupOfJob(user, gid),
    image,
    hostAddresses,
    subnet,
    token,
  });
  if (sharedStore !== undefined) await spendOpening(opening, Buffer.byteLength(formatPlan(decided)));
  const jobStore = jobStoreOf(site, store, decided.job);
  const plan = await claimJob(jobStore, decided, lease, claims);
  claims.move();
  context.audit.record('job-opened', {
    job: plan.job,
    user: user.name,
    takesOver: plan.takesOver,
    image: decision.imageReference,
    imageId: image.facts?.id,
    imageDigest: image.digest,
    hosts: plan.nodes.map(({ host }) => host),
    rules: decision.rules.map(({ subject, decision: decided, rule }) => `${subject}: ${decided} (${rule})`),
  });
  // Before anything else of the job is written: a keeper that was frozen must not write to a later run.
  const groupNote =
    gid === undefined || gid === plan.user.gid
      ? undefined
      : `this job was started under group ${gid}, in which the hosts' user database does not have ${user.name}: the command has group ${plan.user.gid}`;
  const notes = [groupNote, image.note].filter((note) => note !== undefined);
  return { plan, given: confirmed, jobStore: jobStore.ofRun(plan), lease, notes };
}

function namesOf({ hosts }: JobRequest): readonly string[] {
  return hosts.map(({ name }) => name);
}

async function grantLease(store: Store, site: SiteConfig, claims: AsyncDisposableStack): Promise<Lease> {
  const lease = await store.grantLease(site.etcd.leaseTtlSeconds);
  claims.defer(async () => await lease.revoke());
  return lease;
}
