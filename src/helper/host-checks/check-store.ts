import type { SiteConfig } from '../../config/site-schema.ts';
import type { Store } from '../../ports/store.ts';
import { asClause, JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine, warning } from '../../contract/finding.ts';
import { subnetsRange } from '../../contract/kvs-keys.ts';

/** One answer of a healthy etcd takes a few milliseconds; from here on jobs would feel it. */
const slowMs = 250;

export type OpenStore = (site: SiteConfig) => Promise<Store>;

/** Every member of etcd answers this host's certificate, and soon. One that is away is a warning: the others serve. */
export function checkStore(open: OpenStore, site: SiteConfig): Check {
  return {
    name: 'store',
    look: async () => {
      const { endpoints } = site.etcd;
      if (endpoints.length === 0) return fine('no etcd in site.yaml: jobs on one host only');
      const members = await Promise.all(endpoints.map(async (endpoint) => await askMember(open, site, endpoint)));
      const away = members.filter(({ fault }) => fault !== undefined);
      const faults = away.map(({ endpoint, fault }) => `${endpoint} (${asClause(fault)})`).join(', ');
      if (away.length === members.length) throw firstFault(away, faults);
      if (away.length > 0) return warning(`members of etcd are away: ${faults}`, 'The others serve; mend these soon.');
      const slowest = Math.max(...members.map(({ tookMs }) => tookMs));
      const said = `${members.length} of ${members.length} members of etcd answer within ${Math.ceil(slowest)} ms`;
      return slowest < slowMs ? fine(said) : warning(said, `Starts of jobs wait for it; ${slowMs} ms would be slow.`);
    },
  };
}

interface Member {
  readonly endpoint: string;
  readonly tookMs: number;
  readonly fault: unknown;
}

async function askMember(open: OpenStore, site: SiteConfig, endpoint: string): Promise<Member> {
  let store: Store | undefined;
  const range = subnetsRange(site.site.keyPrefix);
  try {
    store = await open({ ...site, etcd: { ...site.etcd, endpoints: [endpoint] } });
    await store.read(range); // connects
    const startedAt = performance.now();
    await store.read(range);
    return { endpoint, tookMs: performance.now() - startedAt, fault: undefined };
  } catch (fault) {
    return { endpoint, tookMs: 0, fault };
  } finally {
    await store?.close();
  }
}

function firstFault(away: readonly Member[], faults: string): JobError {
  const [first] = away;
  const fault = first?.fault;
  if (!(fault instanceof JobError)) throw fault;
  return new JobError({ code: fault.code, message: `No member of etcd serves: ${faults}.`, hint: fault.hint });
}
