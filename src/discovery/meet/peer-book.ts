import type { Peer, PeerKeys, Roster } from '../../contract/agent-protocol.ts';
import { withDeadline } from '../../system/deadline.ts';
import { SshConnectError } from '../../ssh/connect-ssh.ts';

/** The helper answers so many single questions; after them it is asked for everything at once. */
const mostSingle = 8;
const answerTimeoutMs = 10_000;

/**
 * The nodes of the job and their keys. In a large job a node knows the keys of a few at first, and asks its helper for the
 * others when it meets them.
 */
export class PeerBook {
  readonly roster: Roster;
  private readonly ask: (index: number | undefined) => void;
  private readonly keys = new Map<number, PeerKeys>();
  private readonly byAddress: ReadonlyMap<string, Peer>;
  private readonly asked = new Map<number, PromiseWithResolvers<PeerKeys>>();
  private singles = 0;
  private hasAskedForAll = false;

  /** `ask` sends the question, for one node or for all; the answer comes by `take`. */
  constructor(roster: Roster, ask: (index: number | undefined) => void) {
    this.roster = roster;
    this.ask = ask;
    this.byAddress = new Map(roster.map((peer) => [peer.ip, peer]));
    this.take(roster.flatMap(keysOf));
  }

  /** True when the keys of all nodes are known. */
  get isWhole(): boolean {
    return this.keys.size === this.roster.length;
  }

  /** All nodes, each with its keys where they are known. */
  get known(): Roster {
    return this.roster.map((peer) => ({ ...peer, ...this.keys.get(peer.index) }));
  }

  take(peers: readonly PeerKeys[]): void {
    for (const peer of peers) {
      this.keys.set(peer.index, peer);
      this.asked.get(peer.index)?.resolve(peer);
      this.asked.delete(peer.index);
    }
  }

  /** The keys of this node; fails with `SshConnectError` when the helper does not tell them in time. */
  async keysOf({ index, hostname }: Peer): Promise<PeerKeys> {
    return (
      this.keys.get(index) ??
      (await withDeadline(
        answerTimeoutMs,
        async () => await this.askFor(index),
        () => new SshConnectError(`the keys of ${hostname} are not known yet`, false),
      ))
    );
  }

  /** The public keys that may log in from this address: its node's, of a node that is not known by it all that are known. */
  async keysFrom(address: string): Promise<readonly string[]> {
    const peer = this.byAddress.get(address);
    if (peer === undefined || this.isWhole) return [...this.keys.values()].map(({ sshPublicKey }) => sshPublicKey);
    return [(await this.keysOf(peer)).sshPublicKey];
  }

  private async askFor(index: number): Promise<PeerKeys> {
    const waiting = this.asked.get(index);
    if (waiting !== undefined) return await waiting.promise;
    const answer = Promise.withResolvers<PeerKeys>();
    this.asked.set(index, answer);
    if (this.singles < mostSingle) {
      this.singles += 1;
      this.ask(index);
    } else if (!this.hasAskedForAll) {
      this.hasAskedForAll = true;
      this.ask(undefined);
    }
    return await answer.promise;
  }
}

function keysOf({ index, sshPublicKey, hostPublicKey }: Peer): PeerKeys[] {
  return sshPublicKey === undefined || hostPublicKey === undefined ? [] : [{ index, sshPublicKey, hostPublicKey }];
}
