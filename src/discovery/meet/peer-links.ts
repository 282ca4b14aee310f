import type { Peer, PeerKeys, Roster } from '../../contract/agent-protocol.ts';
import { JobError } from '../../values/errors.ts';
import { shortHostname } from '../../contract/job-key.ts';
import { SshConnectError, connectSsh } from '../../ssh/connect-ssh.ts';
import type { SshConnection } from '../../ssh/connect-ssh.ts';
import { pause, unlessAborted } from '../../system/deadline.ts';

export interface PeerLinksOptions {
  readonly roster: Roster;
  readonly ownIndex: number;
  /** Fails with `SshConnectError`. */
  readonly keysOf: (peer: Peer) => Promise<Pick<PeerKeys, 'hostPublicKey'>>;
  /** True where peers find out by its address who logs in. */
  readonly isKnownByAddress: () => boolean;
  readonly port: number;
  readonly userName: string;
  readonly privateKey: string;
}

const maxNamed = 5;

/** Nodes by every name that they have, in small letters: their own names first, then those of their hosts, then these without a domain. */
function listNames(roster: Roster): ReadonlyMap<string, Peer> {
  const names = new Map<string, Peer>();
  const add = (name: string, peer: Peer): void => void (names.has(name) || names.set(name, peer));
  for (const peer of roster)
    for (const name of [peer.hostname.toLowerCase(), shortHostname(peer.index), peer.ip]) add(name, peer);
  for (const peer of roster) if (peer.host !== undefined) add(peer.host.toLowerCase(), peer);
  const shortOf = ({ host }: Peer): string | undefined => host?.toLowerCase().split('.')[0];
  const counts = new Map<string | undefined, number>();
  for (const peer of roster) counts.set(shortOf(peer), (counts.get(shortOf(peer)) ?? 0) + 1);
  for (const peer of roster) {
    const name = shortOf(peer);
    if (name !== undefined && counts.get(name) === 1) add(name, peer);
  }
  return names;
}

/** One try may take so long: the peer's agent may be starting on a busy host. */
const connectTimeoutMs = 10_000;

/**
 * Logins to the other nodes, each made once and kept: the test of the links and every later `ssh` share them.
 * A login that broke is made anew by the next command that needs it.
 */
export class PeerLinks {
  private readonly options: PeerLinksOptions;
  private readonly names: ReadonlyMap<string, Peer>;
  private readonly links = new Map<number, Promise<SshConnection>>();

  constructor(options: PeerLinksOptions) {
    this.options = options;
    this.names = listNames(options.roster);
  }

  /**
   * The node with this hostname, short name (`node-1`, as in /etc/hosts) or address, or on the host of this name, in any
   * case of letters; with any domain, where the scheduler names hosts without one. `localhost` is the node itself.
   */
  findPeer(host: string): Peer | undefined {
    const name = host.toLowerCase();
    if (name === 'localhost' || name === '127.0.0.1') return this.options.roster[this.options.ownIndex];
    return this.names.get(name) ?? this.findWithoutDomain(name);
  }

  private findWithoutDomain(name: string): Peer | undefined {
    const [short = ''] = name.split('.');
    const peer = this.names.get(short);
    return peer?.host?.toLowerCase() === short ? peer : undefined;
  }

  /** For people: the names by which the nodes are known, of a large job the first ones. */
  describeNames(): string {
    const { roster } = this.options;
    const shown = roster.slice(0, maxNamed).map(({ hostname, index, host }) => {
      const others = [shortHostname(index), host].filter((name) => name !== undefined);
      return `${hostname} (${others.join(', ')})`;
    });
    return `${shown.join(', ')}${roster.length > maxNamed ? `, … ${roster.at(-1)?.hostname ?? ''}` : ''}`;
  }

  /** An open login to the peer; fails with `SshConnectError`. */
  async connect(peer: Peer, timeoutMs: number = connectTimeoutMs): Promise<SshConnection> {
    const known = this.links.get(peer.index);
    if (known !== undefined) {
      const link = await known;
      if (link.isOpen) return link;
    }
    // Somebody else may have renewed it while we waited.
    const current = this.links.get(peer.index);
    if (current !== undefined && current !== known) return current;
    return this.open(peer, timeoutMs);
  }

  close(): void {
    for (const link of this.links.values()) link.then((connection) => connection.close()).catch(() => undefined);
    this.links.clear();
  }

  private open(peer: Peer, timeoutMs: number): Promise<SshConnection> {
    const { roster, ownIndex, port, userName, privateKey, isKnownByAddress } = this.options;
    const own = isKnownByAddress() ? roster[ownIndex] : undefined;
    const link = this.options.keysOf(peer).then(
      async ({ hostPublicKey }) =>
        await connectSsh({
          address: peer.ip,
          port,
          ...(own === undefined ? {} : { localAddress: own.ip }),
          userName,
          privateKey,
          hostPublicKey,
          timeoutMs,
        }),
    );
    this.links.set(peer.index, link);
    link.catch(() => {
      if (this.links.get(peer.index) === link) this.links.delete(peer.index);
    });
    return link;
  }
}

const maxConcurrent = 32;

/**
 * Logs in to every other node, the links over which a launcher on this node starts its ranks. Tries again until the
 * deadline; then fails with `NODE_LATE` and says who cannot be reached and why. Fails at once with the reason of `over`.
 */
export async function testLinks(
  links: PeerLinks,
  peers: readonly Peer[],
  deadlineMs: number,
  over: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  const failures: string[] = [];
  const waiting = peers.values();
  const work = async (): Promise<void> => {
    for (const peer of waiting) {
      if (over.aborted) return;
      const reason = await tryUntil(deadline, over, (timeoutMs) => links.connect(peer, timeoutMs));
      if (reason !== undefined) failures.push(`${peer.hostname} (${peer.ip}): ${reason}`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(maxConcurrent, peers.length) }, work));
  over.throwIfAborted();
  if (failures.length === 0) return;
  const more = failures.length > maxNamed ? `; and ${failures.length - maxNamed} more` : '';
  throw new JobError({
    code: 'NODE_LATE',
    message: `${failures.length} of ${peers.length} nodes cannot be reached over SSH: ${failures.slice(0, maxNamed).join('; ')}${more}.`,
  });
}

/** Undefined when it succeeded, or when `over` aborts; else the last reason. */
async function tryUntil(
  deadline: number,
  over: AbortSignal,
  attempt: (timeoutMs: number) => Promise<unknown>,
): Promise<string | undefined> {
  let pauseMs = 20;
  for (;;) {
    try {
      // A peer whose part is over is gone without a word: no login to it is waited for once ours is, too.
      await unlessAborted(over, attempt(Math.min(connectTimeoutMs, Math.max(1, deadline - performance.now()))));
      return undefined;
    } catch (error) {
      const isFinal = error instanceof SshConnectError && error.isFinal;
      if (isFinal || over.aborted || performance.now() + pauseMs >= deadline) return (error as Error).message;
    }
    await pause(pauseMs, { signal: over });
    pauseMs = Math.min(pauseMs * 2, 500);
  }
}
