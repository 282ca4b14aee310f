import type { SiteConfig } from '../../config/site-schema.ts';
import type { Store } from '../../ports/store.ts';
import { asClause, JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine, warning } from '../../contract/finding.ts';
import { probeKey, subnetsRange } from '../../contract/kvs-keys.ts';
import { makeToken } from '../job/make-token.ts';

/** One answer, and one write, of a healthy etcd take a few milliseconds; from here on jobs would feel it. */
const slowMs = 250;

export type OpenStore = (site: SiteConfig) => Promise<Store>;

/** From this part of its quota on there may be no time left to act. */
const fullFrom = 0.8;
/** Of the key that proves a write; it is taken away at once, and goes by itself when we die. */
const probeSeconds = 10;

/**
 * Every member of etcd answers this host's certificate, and soon; it has room; and, where `mayWrite`, it takes a write. One that is away is
 * a warning: the others serve. One that is full is a failure: a full member stops the writes of all.
 */
export function checkStore(open: OpenStore, site: SiteConfig, mayWrite: boolean): Check {
  return {
    name: 'store',
    look: async () => {
      const { endpoints } = site.etcd;
      if (endpoints.length === 0) return fine('no etcd in site.yaml: jobs on one host only');
      const members = await Promise.all(
        endpoints.map(async (endpoint) => await askMember(open, site, endpoint, mayWrite)),
      );
      const away = members.filter(({ fault }) => fault !== undefined);
      const faults = away.map(({ endpoint, fault }) => `${endpoint} (${asClause(fault)})`).join(', ');
      const full = members.find(({ isFull }) => isFull);
      if (full !== undefined) throw storeFull(full, site);
      if (away.length === members.length) throw firstFault(away, faults);
      if (away.length > 0) return warning(`members of etcd are away: ${faults}`, 'The others serve; mend these soon.');
      const slowest = Math.max(...members.map(({ tookMs }) => tookMs));
      const bytes = Math.max(...members.map((member) => member.bytes));
      if (bytes > fullFrom * site.etcd.quotaBytes) {
        return warning(
          `etcd has used ${inMiB(bytes)} of its quota of ${inMiB(site.etcd.quotaBytes)}; at the quota it refuses all writes`,
          'etcdctl compact, then defrag on each member; see --auto-compaction-mode and --quota-backend-bytes in the admin guide, and etcd.quotaBytes in site.yaml.',
        );
      }
      const room = bytes === 0 ? '' : `, ${inMiB(bytes)} of ${inMiB(site.etcd.quotaBytes)} used`;
      const taken = mayWrite ? ' and take a write' : '';
      const said = `${members.length} of ${members.length} members of etcd answer${taken} within ${Math.ceil(slowest)} ms${room}`;
      return slowest < slowMs ? fine(said) : warning(said, `Starts of jobs wait for it; ${slowMs} ms would be slow.`);
    },
  };
}

interface Member {
  readonly endpoint: string;
  readonly tookMs: number;
  readonly fault: unknown;
  readonly bytes: number;
  readonly isFull: boolean;
}

async function askMember(open: OpenStore, site: SiteConfig, endpoint: string, mayWrite: boolean): Promise<Member> {
  let store: Store | undefined;
  const range = subnetsRange(site.site.keyPrefix);
  try {
    store = await open({ ...site, etcd: { ...site.etcd, endpoints: [endpoint] } });
    await store.read(range); // connects
    const startedAt = performance.now();
    await store.read(range);
    if (mayWrite) await proveWrite(store, site.site.keyPrefix);
    const tookMs = performance.now() - startedAt;
    // Where etcd has users of its own, only root's may ask for its state.
    const { bytes, isFull } = (await store.health?.().catch(() => undefined)) ?? { bytes: 0, isFull: false };
    return { endpoint, tookMs, fault: undefined, bytes, isFull };
  } catch (fault) {
    return { endpoint, tookMs: 0, fault, bytes: 0, isFull: fault instanceof JobError && fault.code === 'STORE_FULL' };
  } finally {
    await store?.close();
  }
}

/** A tiny key under a lease, written and taken away. */
async function proveWrite(store: Store, prefix: string): Promise<void> {
  const lease = await store.grantLease(probeSeconds);
  try {
    await store.commit({ puts: [{ key: probeKey(prefix, makeToken()), value: 'doctor', lease }] });
  } finally {
    await lease.revoke();
  }
}

function storeFull({ endpoint, bytes }: Member, { etcd }: SiteConfig): JobError {
  return new JobError({
    code: 'STORE_FULL',
    message: `etcd has raised the alarm NOSPACE and refuses all writes (${endpoint}${bytes === 0 ? '' : `: ${inMiB(bytes)} of ${inMiB(etcd.quotaBytes)}`}).`,
    hint: 'etcdctl compact, defrag on each member, then alarm disarm: see "The store is full" in the runbook.',
  });
}

function inMiB(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)} MiB`;
}

function firstFault(away: readonly Member[], faults: string): JobError {
  const [first] = away;
  const fault = first?.fault;
  if (!(fault instanceof JobError)) throw fault;
  return new JobError({ code: fault.code, message: `No member of etcd serves: ${faults}.`, hint: fault.hint });
}
