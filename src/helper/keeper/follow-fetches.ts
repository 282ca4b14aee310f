import type { SiteConfig } from '../../config/site-schema.ts';
import type { HelperEvent } from '../../contract/helper-events.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import type { JobState } from '../job/job-state.ts';

/** What the hosts' own deadline takes to reach the store. */
const slackMs = 30_000;

/** At most so often it is told how far the hosts are. */
const tellEveryMs = 1000;

/** The hosts of a job that fetch its image, as a keeper follows them. */
export interface Fetches {
  /** To be called with each state. */
  look(state: JobState): void;
  /** How long at least one host has been fetching, in all: never more than `images.fetchSeconds` and a little. */
  spentMs(): number;
}

/** Begins with no host that fetches; `emit` is told of their progress. */
export function followFetches(
  { images }: Pick<SiteConfig, 'images'>,
  { nodes }: Pick<JobPlan, 'nodes'>,
  emit: (event: HelperEvent) => void,
  now: () => number = () => performance.now(),
): Fetches {
  const mostMs = images.fetchSeconds * 1000 + slackMs;
  let since: number | undefined;
  let spent = 0;
  let told = '';
  let toldAt = -Infinity;
  const tell = (state: JobState, isOver: boolean): void => {
    const hosts = nodes.flatMap(({ index, host }) => {
      const fetched = state.nodes.get(index)?.fetched;
      return fetched === undefined ? [] : [{ host, ...fetched }];
    });
    const text = JSON.stringify(hosts);
    if (hosts.length === 0 || text === told || (!isOver && now() - toldAt < tellEveryMs)) return;
    told = text;
    toldAt = now();
    emit({ event: 'fetching', hosts });
  };
  return {
    look: (state) => {
      const isFetching = nodes.some(({ index }) => state.nodes.get(index)?.phase === 'fetching');
      if (isFetching) since ??= now();
      const hasEnded = !isFetching && since !== undefined;
      if (isFetching || hasEnded) tell(state, hasEnded);
      if (isFetching || since === undefined) return;
      spent += now() - since;
      since = undefined;
    },
    spentMs: () => Math.min(mostMs, spent + (since === undefined ? 0 : now() - since)),
  };
}
