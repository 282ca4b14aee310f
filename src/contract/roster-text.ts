import * as z from 'zod';
import { findJsonAs } from '../values/parse-json-as.ts';
import type { Peer, PeerKeys } from './agent-protocol.ts';
import { peerKeysSchema, rosterSchema } from './agent-protocol.ts';

/**
 * Up to so many nodes are listed in ROSTER, which every node reads whole: 70 KB. A larger job has a mark there: all have published, and
 * these are the keys of node 0, which starts the ranks. Of others each node reads the keys of those alone that it meets.
 */
export const mostListedNodes = 256;

/** A node with its keys. */
export type KeyedPeer = Peer & PeerKeys;

const markSchema = z.strictObject({ nodes: z.number().int().min(1), first: peerKeysSchema });
export type RosterMark = z.infer<typeof markSchema>;

/** The value of ROSTER for these nodes, which are all of the job. */
export function formatRoster(roster: readonly KeyedPeer[]): string {
  const [first] = roster;
  if (first === undefined || roster.length <= mostListedNodes) return JSON.stringify(roster);
  const { index, sshPublicKey, hostPublicKey } = first;
  return JSON.stringify({ nodes: roster.length, first: { index, sshPublicKey, hostPublicKey } } satisfies RosterMark);
}

/** All nodes with their keys, or the mark of a large job; undefined for anything else. */
export function parseRoster(text: string): readonly KeyedPeer[] | RosterMark | undefined {
  return findJsonAs(z.union([rosterSchema, markSchema]), text);
}
