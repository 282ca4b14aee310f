import type { PeerKeys, Roster } from '../../contract/agent-protocol.ts';
import { commandNode } from '../../contract/job-key.ts';
import { parseRoster } from '../../contract/roster-text.ts';
import { pause } from '../../system/deadline.ts';
import { asJobError, JobError } from '../../values/errors.ts';
import { gatherRoster, listPlaces } from '../job/gather-roster.ts';
import type { JobPart } from '../job/job-store.ts';
import type { JobState, NodeState } from '../job/job-state.ts';
import type { OwnNode } from './own-node.ts';

const retryPauseMs = 500;

/**
 * All nodes as this one needs them once ROSTER is there. In a large job node 0, which starts the ranks everywhere, has all keys, any other
 * those of node 0 alone. Undefined when the job is over before. Fails with `PLAN_UNREADABLE` for what no keeper of this release writes.
 */
export async function findPeers(own: OwnNode, rosterText: string): Promise<Roster | undefined> {
  const { plan, node } = own;
  const found = parseRoster(rosterText);
  if (found === undefined) throw unreadable();
  if (!('nodes' in found)) return found;
  if (node.index === commandNode) {
    const state = await readWhileRunning(own, 'nodes');
    const roster = state && gatherRoster(plan, state);
    if (state !== undefined && roster === undefined) throw unreadable();
    return roster;
  }
  const places = listPlaces(plan);
  const first = places[found.first.index];
  if (first === undefined) throw unreadable();
  return places.with(first.index, { ...first, ...found.first });
}

/** The keys that this node, or without a number every node, has published; undefined when the job is over before. */
export async function findKeys(own: OwnNode, of?: number): Promise<readonly PeerKeys[] | undefined> {
  const state = await readWhileRunning(own, of ?? 'nodes');
  return state && [...state.nodes.values()].flatMap(keysIn);
}

function keysIn({ index, sshPublicKey, hostPublicKey }: NodeState): PeerKeys[] {
  return sshPublicKey === undefined || hostPublicKey === undefined ? [] : [{ index, sshPublicKey, hostPublicKey }];
}

/** Reads although the store is away for a while, as long as the job runs. */
async function readWhileRunning(own: OwnNode, part: JobPart): Promise<JobState | undefined> {
  let isDone = false;
  const over = new AbortController();
  const end = (): void => over.abort();
  own.followed.until(() => isDone || undefined).then(end, end);
  try {
    while (!over.signal.aborted) {
      try {
        return await own.jobStore.read(part);
      } catch (error) {
        if (asJobError(error).code !== 'STORE_UNREACHABLE') throw error;
        await pause(retryPauseMs, { signal: over.signal });
      }
    }
    return undefined;
  } finally {
    isDone = true; // at the next look it is waited for no longer
  }
}

function unreadable(): JobError {
  return new JobError({
    code: 'PLAN_UNREADABLE',
    message: 'The list of nodes in the store was not written by this release of hpc-submit-dockerjob.',
    hint: 'Install the same release on all hosts of the job, and submit it again.',
  });
}
