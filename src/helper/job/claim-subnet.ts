import { randomInt } from 'node:crypto';
import * as z from 'zod';
import type { Store, StoreEntry } from '../../ports/store.ts';
import { JobError } from '../../values/errors.ts';
import { keyOnly, subnetKey, subnetsRange } from '../../contract/kvs-keys.ts';
import { subnetAt, subnetCount } from '../../values/subnet.ts';
import { claimKey } from './claim-key.ts';
import type { SiteStore } from './job-store.ts';
import { findJsonAs } from '../../values/parse-json-as.ts';
import { pause } from '../../system/deadline.ts';

const subnetClaimSchema = z.object({
  job: z.string(),
  /** Of the run of the job that claimed it. */
  token: z.string(),
  /** The job's user; releases before this one did not note it. */
  uid: z.number().int().optional(),
  since: z.string(),
  /** Which subnet of the pool it is. */
  index: z.number().int(),
});

/** Who holds a subnet: the value of its key. */
export type SubnetClaim = z.infer<typeof subnetClaimSchema>;

export interface Claimer {
  /** Site's key prefix. */
  readonly prefix: string;
  readonly job: string;
  readonly token: string;
}

export interface SubnetRequest extends Claimer {
  readonly uid?: number;
  readonly pool: string;
  readonly prefixLength: number;
}

export interface ClaimedSubnet {
  readonly cidr: string;
  readonly index: number;
}

/** Blind tries cost one round each and succeed unless the pool is nearly full; then a list of all claims pays. */
const blindTries = 12;
const listedTries = 20;
const mostPauseMs = 50;

/**
 * Claims a free subnet of the pool for this run of the job: random and create-if-absent, which stays quick with hundreds
 * of claimers at once. Fails with POOL_EXHAUSTED. The claim has no lease. When it fails with STORE_UNREACHABLE a
 * claim may have been made: `freeSubnetsOf` finds it.
 */
export async function claimSubnet(store: Store, request: SubnetRequest): Promise<ClaimedSubnet> {
  const count = subnetCount(request.pool, request.prefixLength);
  if (count < 1) throw poolExhausted(request, count);
  for (let tries = 0; tries < Math.min(blindTries, count); tries++) {
    const claimed = await tryClaim(store, request, randomInt(count));
    if (claimed !== undefined) return claimed;
  }
  for (let tries = 0; tries < listedTries; tries++) {
    const free = await listFree(store, request, count);
    const index = free[randomInt(Math.max(1, free.length))];
    if (index === undefined) throw poolExhausted(request, count);
    const claimed = await tryClaim(store, request, index);
    if (claimed !== undefined) return claimed;
    await pause(randomInt(mostPauseMs));
  }
  throw poolExhausted(request, count);
}

async function tryClaim(store: Store, request: SubnetRequest, index: number): Promise<ClaimedSubnet | undefined> {
  const { prefix, job, token, uid } = request;
  const cidr = subnetAt(request.pool, request.prefixLength, index);
  const claim: SubnetClaim = {
    job,
    token,
    ...(uid === undefined ? {} : { uid }),
    since: new Date().toISOString(),
    index,
  };
  const isOurs = await claimKey(store, { key: subnetKey(prefix, cidr), value: JSON.stringify(claim) });
  return isOurs ? { cidr, index } : undefined;
}

async function listFree(store: Store, { prefix, pool, prefixLength }: SubnetRequest, count: number): Promise<number[]> {
  const taken = new Set((await store.read(subnetsRange(prefix))).map(({ key }) => key));
  const indexes = Array.from({ length: count }, (_, index) => index);
  return indexes.filter((index) => !taken.has(subnetKey(prefix, subnetAt(pool, prefixLength, index))));
}

function poolExhausted({ pool, prefixLength }: SubnetRequest, count: number): JobError {
  return new JobError({
    code: 'POOL_EXHAUSTED',
    message: `No free subnet: all ${count} of length /${prefixLength} in the pool ${pool} are taken by other jobs.`,
    hint: 'Submit the job again later, or ask the administrators for a larger network.pool in site.yaml.',
  });
}

/**
 * Gives a subnet back. Deletes the claim only if this run of the job holds it; a claim that is gone or another's is left alone.
 * Call it last, when the network is gone from every host.
 */
export async function freeSubnet(store: Store, claimer: Claimer & { readonly cidr: string }): Promise<void> {
  const entries = await store.read(keyOnly(subnetKey(claimer.prefix, claimer.cidr)));
  await freeOwn(store, claimer, entries);
}

/** True when the claim of this very subnet names this run of the job. */
export async function holdsSubnet(store: Store, claimer: Claimer & { readonly cidr: string }): Promise<boolean> {
  const [held] = (await store.read(keyOnly(subnetKey(claimer.prefix, claimer.cidr)))).flatMap(toHeld);
  return held?.claim.job === claimer.job && held.claim.token === claimer.token;
}

/** Gives back whatever this run of the job holds, also what it does not know of; reads all claims of the site. */
export async function freeSubnetsOf(store: Store, claimer: Claimer): Promise<void> {
  await freeOwn(store, claimer, await store.read(subnetsRange(claimer.prefix)));
}

async function freeOwn(store: Store, { job, token }: Claimer, entries: readonly StoreEntry[]): Promise<void> {
  for (const held of entries.flatMap(toHeld))
    if (held.claim.job === job && held.claim.token === token) await freeHeld(store, held);
}

/** A claim as it stands in the store. */
export interface HeldSubnet {
  readonly key: string;
  readonly value: string;
  readonly claim: SubnetClaim;
}

/** Every claim of the site; what is no claim is left out. Each open job of several hosts has one until the very end. */
export async function readSubnetClaims({ store, prefix }: SiteStore): Promise<readonly HeldSubnet[]> {
  return (await store.read(subnetsRange(prefix))).flatMap(toHeld);
}

function toHeld({ key, value }: StoreEntry): HeldSubnet[] {
  const claim = parseSubnetClaim(value);
  return claim === undefined ? [] : [{ key, value, claim }];
}

/** Frees exactly this claim: by the very value that was read, so nobody else's can be met. */
export async function freeHeld(store: Store, { key, value }: HeldSubnet): Promise<void> {
  await store.commit({ conditions: [{ kind: 'value', key, equals: value }], deletes: [keyOnly(key)] });
}

/** The claim that stands in a value, or undefined: operators and other versions write into the store too. */
export function parseSubnetClaim(value: string): SubnetClaim | undefined {
  return findJsonAs(subnetClaimSchema, value);
}
