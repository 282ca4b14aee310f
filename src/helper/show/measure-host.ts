import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { SiteConfig } from '../../config/site-schema.ts';
import type { JobPhase } from '../../contract/shown-job.ts';
import { jobPhaseSchema } from '../../contract/shown-job.ts';
import type { Metric } from '../../values/prometheus-text.ts';
import { subnetCount } from '../../values/subnet.ts';
import { readSubnetClaims } from '../job/claim-subnet.ts';
import type { HelperContext } from '../open-context.ts';
import { openSharedStore } from '../open-context.ts';
import { readRecords } from '../records/read-records.ts';
import { recordsFile } from '../records/write-record.ts';
import { describeEnds } from './count-ends.ts';
import { listJobs } from './list-jobs.ts';

const dayMs = 24 * 3600 * 1000;

/** What this host and the store are like now, and what has become of the jobs that this host opened. Never fails: what does not answer counts as down. */
export async function measureHost(context: HelperContext): Promise<readonly Metric[]> {
  const { site } = context;
  const [jobs, engine, store, ends, days] = await Promise.all([
    countJobs(context),
    timed(async () => await context.engine.ping()),
    measureStore(site),
    readEnds(site),
    countDays(site),
  ]);
  return [jobs, ...describeAnswer('engine', 'The Docker Engine of this host', engine), ...store, ...ends, ...days];
}

async function countJobs(context: HelperContext): Promise<Metric> {
  const phases = new Map<JobPhase, number>(jobPhaseSchema.options.map((phase) => [phase, 0]));
  for (const line of await listJobs(context).catch(() => []))
    if (line.kind === 'job') phases.set(line.job.phase, (phases.get(line.job.phase) ?? 0) + 1);
  return {
    name: 'hpc_dockerjob_jobs',
    help: 'Open jobs in containers, by phase: those of several hosts on the cluster, and those of one host on this one.',
    samples: [...phases].map(([phase, value]) => ({ labels: { phase }, value })),
  };
}

/** Seconds until the answer; undefined when there was none. */
async function timed(ask: () => Promise<unknown>): Promise<number | undefined> {
  const began = performance.now();
  return await ask().then(
    () => (performance.now() - began) / 1000,
    () => undefined,
  );
}

function describeAnswer(part: string, words: string, seconds: number | undefined): readonly Metric[] {
  return [
    {
      name: `hpc_dockerjob_${part}_up`,
      help: `${words} answers.`,
      samples: [{ value: seconds === undefined ? 0 : 1 }],
    },
    {
      name: `hpc_dockerjob_${part}_answer_seconds`,
      help: `${words} took so long for one answer.`,
      samples: seconds === undefined ? [] : [{ value: seconds }],
    },
  ];
}

async function measureStore(site: SiteConfig): Promise<readonly Metric[]> {
  if (site.etcd.endpoints.length === 0) return [];
  let claimed: number | undefined;
  const seconds = await timed(async () => {
    const store = await openSharedStore(site);
    await using _store = { [Symbol.asyncDispose]: async () => await store.close() };
    claimed = (await readSubnetClaims({ store, prefix: site.site.keyPrefix })).length;
  });
  const all = subnetCount(site.network.pool, site.network.prefixLength);
  return [
    ...describeAnswer('store', 'etcd', seconds),
    {
      name: 'hpc_dockerjob_subnets',
      help: 'Subnets of network.pool.',
      samples:
        claimed === undefined
          ? []
          : [
              { labels: { state: 'claimed' }, value: claimed },
              { labels: { state: 'free' }, value: Math.max(0, all - claimed) },
            ],
    },
  ];
}

async function readEnds({ records: { directory } }: SiteConfig): Promise<readonly Metric[]> {
  if (directory === '') return [];
  const since = new Date(Date.now() - dayMs).toISOString();
  const { records } = await readRecords(directory, () => true, { ownFile: recordsFile(directory) });
  return describeEnds(records.filter(({ endedAt }) => endedAt >= since));
}

async function countDays({ etcd }: SiteConfig): Promise<readonly Metric[]> {
  if (etcd.endpoints.length === 0) return [];
  const certificate = await readFile(etcd.certFile)
    .then((bytes) => new X509Certificate(bytes))
    .catch(() => undefined);
  const days = certificate === undefined ? 0 : (Date.parse(certificate.validTo) - Date.now()) / dayMs;
  return [
    {
      name: 'hpc_dockerjob_certificate_days',
      help: "Days until this host's certificate for etcd expires; 0 when it cannot be read.",
      samples: [{ value: Math.floor(days) }],
    },
  ];
}
