/** The lab's site.yaml, changed for a test and put back. */
import { parse, stringify } from 'yaml';
import { mustRun } from '../../lab/batch-jobs.ts';
import type { Lab } from '../../lab/running-lab.ts';

const sitePath = '/etc/hpc-submit-dockerjob/site.yaml';

/** What a test changes: sections are merged key by key, all else is replaced. */
export type SiteChange = Readonly<Record<string, unknown>>;

export const quickDeadlines = {
  ...{ openSeconds: 15, startSeconds: 12, discoverSeconds: 10 },
  ...{ stopSeconds: 2, releaseSeconds: 6 },
} as const;

/** Short deadlines, so that every ending is seen within seconds. */
export const quickSite = {
  etcd: { callTimeoutMs: 1000, leaseTtlSeconds: 5 },
  deadlines: quickDeadlines,
} as const satisfies SiteChange;

/** Changes site.yaml on these hosts (all nodes unless told); disposing puts the old text back. */
export async function changeSite(lab: Lab, change: SiteChange, hosts?: readonly string[]): Promise<AsyncDisposable> {
  const names = hosts ?? lab.nodes.map(({ name }) => name);
  return await replaceSite(lab, (text) => stringify(merge(parse(text) as SiteChange, change)), names);
}

/** Replaces the text of site.yaml on these hosts; disposing puts the old text back. */
export async function replaceSite(
  lab: Lab,
  change: (text: string) => string,
  hosts: readonly string[],
): Promise<AsyncDisposable> {
  const undo = new AsyncDisposableStack();
  try {
    for (const host of hosts) {
      const old = await mustRun(lab, host, ['cat', sitePath]);
      undo.defer(async () => await writeSite(lab, host, old));
      await writeSite(lab, host, change(old));
    }
  } catch (error) {
    await undo.disposeAsync();
    throw error;
  }
  return undo;
}

async function writeSite(lab: Lab, host: string, text: string): Promise<void> {
  // By renaming: a helper that starts right now reads one text or the other.
  await mustRun(lab, host, ['sh', '-c', 'cat >"$1.new" && mv "$1.new" "$1"', 'write', sitePath], text);
}

function merge(old: SiteChange, change: SiteChange): SiteChange {
  const merged: Record<string, unknown> = { ...old };
  for (const [key, value] of Object.entries(change)) {
    const before = merged[key];
    merged[key] = isSection(before) && isSection(value) ? { ...before, ...value } : value;
  }
  return merged;
}

function isSection(value: unknown): value is SiteChange {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
