import type { SiteConfig } from '../../config/site-schema.ts';
import type { JobError } from '../../values/errors.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import type { NodeState } from '../job/job-state.ts';
import type { JobStore } from '../job/job-store.ts';
import { lostNodeError } from './job-trouble.ts';

/** In which the helpers of hosts that live say that their launcher is gone. */
const wordMs = 3000;
/** Beyond the lease's time to live. */
const slackMs = 2000;

const spokenPhases: readonly NodeState['phase'][] = ['stopping', 'failed', 'released'];

/**
 * A launcher that ends by itself may have lost one host, and ends its tasks on all others then. These say so; the host
 * that says nothing, and whose lease ends, is the cause. Resolves to undefined when all have spoken, or none. Never fails.
 */
export async function findLostHost(jobStore: JobStore, site: SiteConfig, plan: JobPlan): Promise<JobError | undefined> {
  const look = async (isAnswer: (silent: number) => boolean, deadlineMs: number): Promise<LostHost | undefined> => {
    const outcome = await jobStore
      .until(
        (state) => {
          const nodes = plan.nodes.map(({ index }) => state.nodes.get(index));
          const lost = nodes.find((node) => node?.isLost === true);
          const silent = nodes.filter((node) => node === undefined || !hasSpoken(node)).length;
          return lost !== undefined || isAnswer(silent) ? { lost: lost?.index, silent } : undefined;
        },
        { deadlineMs, tolerateOutage: true },
      )
      .catch(() => undefined);
    return outcome?.kind === 'reached' ? outcome.value : undefined;
  };
  const first = await look((silent) => silent < plan.nodes.length, wordMs);
  if (first === undefined || (first.lost === undefined && first.silent === 0)) return undefined;
  const found =
    first.lost === undefined ? await look((silent) => silent === 0, site.etcd.leaseTtlSeconds * 1000 + slackMs) : first;
  return found?.lost === undefined ? undefined : lostNodeError(plan, found.lost);
}

interface LostHost {
  /** Index of a node whose helper is gone without a word. */
  readonly lost: number | undefined;
  /** Nodes that have not said that they end. */
  readonly silent: number;
}

function hasSpoken({ error, phase }: NodeState): boolean {
  return error !== undefined || spokenPhases.includes(phase);
}
