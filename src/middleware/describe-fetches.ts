import type { HelperEvent } from '../contract/helper-events.ts';
import { formatBytes } from '../values/format-bytes.ts';

export type FetchingHost = Extract<HelperEvent, { event: 'fetching' }>['hosts'][number];

const mostShownHosts = 8;

/** Where lines stay, so often at most. */
const lineEveryMs = 10_000;

/** True when every host that fetches the image has it. */
export function haveFetched(hosts: readonly FetchingHost[]): boolean {
  return hosts.every(hasFetched);
}

function hasFetched({ bytes, total }: FetchingHost): boolean {
  return total > 0 && bytes >= total;
}

/** How many hosts have the image, and how much of it the first few have. */
export function describeFetches(hosts: readonly FetchingHost[]): string {
  const done = hosts.filter(hasFetched);
  const most = Math.max(...hosts.map(({ total }) => total));
  const shown = hosts
    .slice(0, mostShownHosts)
    .map(({ host, bytes, total }) => `${host} ${total === 0 ? '…' : `${Math.floor((100 * bytes) / total)} %`}`);
  const more = hosts.length > shown.length ? ', …' : '';
  const size = most === 0 ? '' : ` (${formatBytes(most)})`;
  return `the image comes from its registry${size}, ${done.length} of ${hosts.length} hosts have it: ${shown.join(', ')}${more}`;
}

/** Says which of the reports are worth a line that stays: the first, the last, and now and then one between. */
export function chooseFetchLines(now: () => number): (hosts: readonly FetchingHost[]) => boolean {
  let shownAtMs = -Infinity;
  return (hosts) => {
    if (!haveFetched(hosts) && now() - shownAtMs < lineEveryMs) return false;
    shownAtMs = now();
    return true;
  };
}
