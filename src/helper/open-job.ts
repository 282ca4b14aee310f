import { randomInt } from 'node:crypto';
import type { SiteConfig } from '../config/site-schema.ts';
import { createMemoryStore } from '../local-store/memory-store.ts';
import { serveStore } from '../local-store/serve-store.ts';
import { decideRequest } from '../policy/decide-request.ts';
import type { Decision } from '../policy/decide-request.ts';
import type { ConfirmedJob, SchedulerAuthority } from '../ports/scheduler.ts';
import type { Lease, Store } from '../ports/store.ts';
import { asJobError, JobError } from '../shared/errors.ts';
import type { HelperEvent } from '../shared/helper-events.ts';
import type { JobKey } from '../shared/job-key.ts';
import type { JobPlan } from '../shared/job-plan.ts';
import type { JobRequest } from '../shared/job-request.ts';
import { jobRequestSchema } from '../shared/job-request.ts';
import { controlRange, jobFieldKey, jobRange } from '../shared/kvs-keys.ts';
import { subnetAt, subnetCount, subnetIndex } from '../shared/subnet.ts';
import type { ClaimedSubnet } from './claim-subnet.ts';
import { claimSubnet, freeSubnet } from './claim-subnet.ts';
import { decidePlan, makeToken, resolveHosts } from './decide-plan.ts';
import { requireJobCgroup } from './find-job-cgroup.ts';
import { forwardSignals } from './forward-signals.ts';
import { requireUser } from './identify-caller.ts';
import type { JobState } from './job-state.ts';
import { parseJobState } from './job-state.ts';
import { keepJob } from './keep-job.ts';
import type { HelperContext } from './open-context.ts';
import { openSharedStore } from './open-context.ts';
import { ownCommand } from './own-command.ts';
import { readUser } from './read-user.ts';
import { receiveOrders } from './receive-orders.ts';
import type { Orders } from './receive-orders.ts';
import { releaseKeys } from './release-keys.ts';
import { trackSuspension } from './follow-suspension.ts';
import { lifelineOf } from './lifeline.ts';
import type { Lifeline } from './lifeline.ts';
import {
  createJobRunDirectory,
  forgetJobHere,
  localStoreSocket,
  markKeptHere,
  unmarkKeptHere,
  removeRunDirectory,
} from './run-directory.ts';

/**
 * Opens the job that the middleware asks for on standard input, keeps it until its end, and releases it. Prints
 * events as JSON lines. The end of the input means that the middleware is gone: the job is ended and released.
 */
export async function openJob(
  context: HelperContext,
  input: NodeJS.ReadableStream,
  emit: (event: HelperEvent) => void,
): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const orders = receiveOrders(input, context.site.deadlines.openSeconds * 1000);
  undo.defer(() => orders.close());
  // A scheduler may suspend the job by this signal alone (LSF): the keeper goes on, and learns of it from the nodes.
  process.on('SIGTSTP', stayAwake);
  undo.defer(() => void process.removeListener('SIGTSTP', stayAwake));
  const { plan, store, lease } = await openChecked(context, orders, undo);
  orders.onSignal(forwardSignals(store, context.site.site.keyPrefix, plan.job));
  emit({
    event: 'opened',
    job: plan.job,
    image: plan.image.reference,
    imageId: plan.image.id,
    driver: plan.network.driver,
    cidr: plan.network.cidr,
    nodes: plan.nodes.map(({ index, host, ip, slots }) => ({ index, host, ip, slots })),
  });
  const life = lifelineOf(store, context.site.etcd.leaseTtlSeconds, lease);
  const suspension = trackSuspension(
    {
      suspend: async () => await life.suspend(async () => await holdJob(context, store, plan.job, life)),
      resume: async () => await life.resume(async () => await holdJob(context, store, plan.job, life)),
    },
    (error) => context.audit.record('suspension-failed', { job: plan.job, message: asJobError(error).message }),
  );
  const cancelled = AbortSignal.any([orders.cancelled, leaseSignal(life, plan.job)]);
  const end = await keepJob({ store, site: context.site, plan, cancelled, emit, suspension });
  context.audit.record('job-ended', {
    job: plan.job,
    by: end.by,
    exitStatus: end.exitStatus,
    code: end.by === 'command' ? undefined : end.code,
  });
  emit({ event: 'finished', end });
  const leftovers = await releaseKeys(context, store, plan, orders.launcherEnded);
  // What is left is for this host's epilog, which finds the job by the keeper's mark.
  if (leftovers.length === 0) await unmarkKeptHere(plan.job);
  await life.end().catch(() => undefined);
  context.audit.record('job-released', { job: plan.job, leftovers });
  emit({ event: 'released', leftovers });
}

function stayAwake(): void {
  // Listening is enough: what is listened to does not stop the process.
}

interface Opened {
  readonly plan: JobPlan;
  readonly store: Store;
  readonly lease: Lease;
}

/** Checks everything again as root, claims the job and its subnet, writes the plan. */
async function openChecked(context: HelperContext, orders: Orders, undo: AsyncDisposableStack): Promise<Opened> {
  const { site, engine } = context;
  const uid = requireUser(context.caller);
  const request = parseRequest(await orders.request);
  const authority = context.authorities.of(request.scheduler);
  const decision = decide(context, request, uid);
  // Looking costs nothing, so all of it is done at once; what changes anything waits for the scheduler's word.
  const [confirmed, user, image, hostAddresses, sharedStore] = await Promise.all([
    confirmRequest(context, authority, request, uid),
    readUser(uid),
    engine.findImage(decision.imageReference),
    resolveHosts(request.hosts.map(({ name }) => name)),
    request.hosts.length > 1 ? reachSharedStore(context, request.job, undo) : undefined,
    requireJobCgroup(site, authority, { schedulerJobId: request.schedulerJobId, uid, job: request.job }),
  ]);
  if (image === undefined) throw imageNotPresent(decision, request);
  const store = sharedStore ?? (await openLocalStore(confirmed, undo));
  const token = makeToken();
  // Undone unless the job becomes ours; afterwards the release undoes them, once no host uses them any more.
  await using claims = new AsyncDisposableStack();
  if (sharedStore !== undefined) await leaveTrace(confirmed, undo, claims);
  const [subnet, lease] = await Promise.all([
    claim(context, store, request, { driver: decision.driver, token }, claims),
    grantLease(store, site, claims),
  ]);
  const plan = decidePlan({
    site,
    request,
    decision,
    confirmed,
    user,
    imageId: image.id,
    hostAddresses,
    subnet,
    token,
  });
  await claimJob(store, site.site.keyPrefix, plan, lease, claims);
  claims.move();
  context.audit.record('job-opened', {
    job: plan.job,
    uid,
    user: user.name,
    image: decision.imageReference,
    imageId: image.id,
    hosts: plan.nodes.map(({ host }) => host),
    rules: decision.rules.map(({ subject, decision: decided, rule }) => `${subject}: ${decided} (${rule})`),
  });
  return { plan, store, lease };
}

function parseRequest(text: string): JobRequest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new JobError({ code: 'REQUEST_INVALID', message: 'The request is not JSON.' });
  }
  const parsed = jobRequestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues
    .slice(0, 10)
    .map(({ path, message }) => `${path.join('.') || 'request'}: ${message}`);
  const isEmptyCommand = parsed.error.issues.every(({ path }) => path[0] === 'command');
  throw new JobError({
    code: isEmptyCommand ? 'COMMAND_EMPTY' : 'REQUEST_INVALID',
    message: `The request is refused: ${problems.join('; ')}.`,
  });
}

/** The scheduler must confirm job, owner and hosts: the environment from which the request was made is forgeable. */
async function confirmRequest(
  context: HelperContext,
  authority: SchedulerAuthority,
  request: JobRequest,
  uid: number,
): Promise<ConfirmedJob> {
  const confirmed = await authority.confirmJob(request.schedulerJobId);
  const problem =
    confirmed.uid !== uid
      ? 'belongs to another user'
      : confirmed.job !== request.job
        ? `is called ${confirmed.job} by the scheduler, not ${request.job}`
        : !isSameSet(
              confirmed.hosts,
              request.hosts.map(({ name }) => name),
            )
          ? `has the hosts ${confirmed.hosts.slice(0, 8).join(', ')}, not those that the job's environment names`
          : undefined;
  if (problem === undefined) return confirmed;
  context.audit.record('request-forged', { job: request.job, uid, problem });
  throw new JobError({
    code: 'JOB_NOT_YOURS',
    message: `Job ${request.job} ${problem}.`,
    hint: 'Leave the variables of the scheduler as they are.',
  });
}

function isSameSet(left: readonly string[], right: readonly string[]): boolean {
  const set = new Set(left);
  return set.size === right.length && new Set(right).size === right.length && right.every((name) => set.has(name));
}

function decide(context: HelperContext, request: JobRequest, uid: number): Decision {
  try {
    return decideRequest(context.site, { ...request, hostCount: request.hosts.length });
  } catch (thrown) {
    const { code, message } = asJobError(thrown);
    context.audit.record('request-refused', { job: request.job, uid, code, message });
    throw thrown;
  }
}

function imageNotPresent(decision: Decision, request: JobRequest): JobError {
  return new JobError({
    code: 'IMAGE_NOT_PRESENT',
    message: `Image ${decision.imageReference} is not present on host ${request.hosts[0]?.name ?? '?'}.`,
    hint: 'Ask the administrators to bring it to every host (docker pull, or docker save and load).',
  });
}

/** The site's etcd, reached: a first read shows that it answers, and that the job is not open already. */
async function reachSharedStore(context: HelperContext, job: JobKey, undo: AsyncDisposableStack): Promise<Store> {
  const store = await openSharedStore(context.site);
  undo.defer(async () => await store.close());
  const { keyPrefix } = context.site.site;
  refuseBusy(parseJobState(keyPrefix, job, await store.read(controlRange(keyPrefix, job))), job);
  return store;
}

/** For a job on one host: a store of our own, which that host's run-node reaches by a socket. */
async function openLocalStore({ job, schedulerJobId }: ConfirmedJob, undo: AsyncDisposableStack): Promise<Store> {
  const store = createMemoryStore();
  undo.defer(async () => await store.close());
  await createJobRunDirectory(job, schedulerJobId);
  const server = await serveStore(store, localStoreSocket(job));
  undo.defer(async () => {
    await server.close();
    await removeRunDirectory(job);
  });
  return store;
}

/** Should we be killed, the epilog finds by this that there are keys to be removed. */
async function leaveTrace(
  { job, schedulerJobId }: ConfirmedJob,
  undo: AsyncDisposableStack,
  claims: AsyncDisposableStack,
): Promise<void> {
  await createJobRunDirectory(job, schedulerJobId);
  undo.defer(async () => await forgetJobHere(job));
  claims.use(await markKeptHere(job));
}

async function grantLease(store: Store, site: SiteConfig, claims: AsyncDisposableStack): Promise<Lease> {
  const lease = await store.grantLease(site.etcd.leaseTtlSeconds);
  claims.defer(async () => await lease.revoke());
  return lease;
}

/** Tries on a single host, whose other networks are the only rivals. */
const hostSubnetTries = 24;

async function claim(
  context: HelperContext,
  store: Store,
  request: JobRequest,
  { driver, token }: { readonly driver: Decision['driver']; readonly token: string },
  claims: AsyncDisposableStack,
): Promise<ClaimedSubnet> {
  const { network, site } = context.site;
  const { pool, prefixLength } = network;
  if (driver === 'bridge') {
    const count = subnetCount(pool, prefixLength);
    const indexes = Array.from({ length: Math.min(hostSubnetTries, count) }, () => randomInt(count));
    claims.defer(async () => await context.network('bridge').release(request.job));
    const cidr = await context.reserveHostSubnet(
      request.job,
      indexes.map((index) => subnetAt(pool, prefixLength, index)),
    );
    return { cidr, index: subnetIndex(pool, cidr) ?? 0 };
  }
  const claimer = { prefix: site.keyPrefix, job: request.job, token };
  const subnet = await claimSubnet(store, { ...claimer, pool, prefixLength });
  claims.defer(async () => await freeSubnet(store, { ...claimer, cidr: subnet.cidr }));
  return subnet;
}

/** Writes the plan and FINISH=FALSE unless the job is open already; afterwards the job is ours. */
async function claimJob(
  store: Store,
  prefix: string,
  plan: JobPlan,
  lease: Lease,
  claims: AsyncDisposableStack,
): Promise<void> {
  const planKey = jobFieldKey(prefix, plan.job, 'PLAN');
  const finishKey = jobFieldKey(prefix, plan.job, 'FINISH');
  const text = JSON.stringify(plan);
  claims.defer(async () => {
    // The claim may have been carried out although its answer was lost.
    await store.commit({
      conditions: [{ kind: 'value', key: planKey, equals: text }],
      deletes: [jobRange(prefix, plan.job)],
    });
  });
  const isOurs = await store.commit({
    conditions: [
      { kind: 'absent', key: planKey },
      { kind: 'absent', key: finishKey },
    ],
    puts: [
      { key: planKey, value: text },
      { key: finishKey, value: 'FALSE', lease },
    ],
  });
  if (isOurs) return;
  const state = parseJobState(prefix, plan.job, await store.read(controlRange(prefix, plan.job)));
  if (state.plan?.token === plan.token) return; // a retried claim met its own success
  refuseBusy(state, plan.job);
  throw new JobError({ code: 'BUG', message: `Job ${plan.job} could not be claimed although nobody has it.` });
}

/** Fails with `JOB_BUSY` when the job is open, or has keys of an earlier run. */
function refuseBusy(state: JobState, job: JobKey): void {
  if (state.plan === undefined && state.finish === 'absent') return;
  const isRunning = state.finish === 'running';
  throw new JobError({
    code: 'JOB_BUSY',
    message: isRunning
      ? `Job ${job} is running in containers already, opened at ${state.plan?.openedAt ?? '?'}.`
      : `Job ${job} has left keys of an earlier run in the store.`,
    hint: isRunning
      ? 'One call of hpc-submit-dockerjob at a time: let the first one end.'
      : `Wait until its clean-up has ended, or release it: sudo ${ownCommand(process.env)} release-job ${job}`,
  });
}

/** Puts FINISH=FALSE of a running job under the lease of this moment; under none while we are suspended. */
async function holdJob({ site }: HelperContext, store: Store, job: JobKey, { lease }: Lifeline): Promise<void> {
  const key = jobFieldKey(site.site.keyPrefix, job, 'FINISH');
  await store.commit({
    conditions: [{ kind: 'value', key, equals: 'FALSE' }],
    puts: [{ key, value: 'FALSE', ...(lease === undefined ? {} : { lease }) }],
  });
}

function leaseSignal(lease: Pick<Lease, 'lost'>, job: JobKey): AbortSignal {
  const controller = new AbortController();
  const lost = (): void =>
    controller.abort(
      new JobError({
        code: 'LEASE_LOST',
        message: `The lease of job ${job} in etcd has ended.`,
        hint: 'This host or etcd stood still for longer than etcd.leaseTtlSeconds. Submit the job again.',
      }),
    );
  if (lease.lost.aborted) lost();
  else lease.lost.addEventListener('abort', lost, { once: true });
  return controller.signal;
}
