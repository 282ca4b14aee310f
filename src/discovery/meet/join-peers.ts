import type { Peer, Roster } from '../../contract/agent-protocol.ts';
import { commandNode } from '../../contract/job-key.ts';
import type { SshKeyPair } from '../../ssh/make-key-pair.ts';
import type { SessionProcess, SessionRequest } from '../../ssh/serve-session.ts';
import { startSshServer } from '../../ssh/start-ssh-server.ts';
import type { SshServer } from '../../ssh/start-ssh-server.ts';
import { awaitLauncher } from './await-launcher.ts';
import { buildJobEnvironment } from '../files/build-job-environment.ts';
import type { Welcome } from '../files/build-job-environment.ts';
import { PartIsOver } from '../connect-helper.ts';
import type { HelperLink } from '../connect-helper.ts';
import type { PrivateFiles } from '../files/container-files.ts';
import { PeerBook } from './peer-book.ts';
import { PeerLinks, testLinks } from './peer-links.ts';
import { placeApplicationHostfile } from '../files/place-application-hostfile.ts';
import { ProcessGroup, ProcessGroups } from '../launch/process-group.ts';
import { serveRelay } from '../relay/serve-relay.ts';
import type { UndoStack } from '../undo-stack.ts';
import { formatHostfile, writeHostfiles, writeKnownHosts, writeSshFiles } from '../files/write-private-files.ts';

/** What a node knows of itself once it has been welcomed. */
export interface Self {
  readonly welcome: Welcome;
  readonly keys: { readonly user: SshKeyPair; readonly host: SshKeyPair };
  readonly files: PrivateFiles;
  readonly userName: string;
  readonly privateDirectory: string;
}

type Environment = Readonly<Record<string, string>>;

/** What logins need. */
interface Known {
  readonly book: PeerBook;
  readonly environment: Environment;
}

/**
 * Serves SSH, learns of the other nodes, writes what launchers read, and on the master tests the links.
 * Returns the environment in which the command and the ranks run; what is added to it later is for all that start later.
 */
export async function joinPeers(link: HelperLink, self: Self, undo: UndoStack): Promise<Record<string, string>> {
  const { welcome, files, userName } = self;
  const known = Promise.withResolvers<Known>();
  const server = await serveSsh(self, known.promise, undo);

  // Later than the keeper's own deadline, which names the node that is late.
  const rosterMs = 10 * welcome.discoverDeadlineMs + 60_000 + (welcome.fetchDeadlineMs ?? 0);
  const { peers: roster } = await link.receive('roster', rosterMs);
  const deadline = performance.now() + welcome.discoverDeadlineMs;
  const port = welcome.sshPort;
  const environment = buildJobEnvironment({ ...self, inherited: process.env, roster });
  await writeHostfiles(files, roster);
  await writeSshFiles(files, roster, { port, userName, privateKey: self.keys.user.privateKey });
  const book = openBook(link, self, roster);
  const links = new PeerLinks({
    roster,
    ownIndex: welcome.index,
    keysOf: async (peer) => await book.keysOf(peer),
    isKnownByAddress: () => !book.isWhole,
    port,
    userName,
    privateKey: self.keys.user.privateKey,
  });
  undo.push(() => links.close());
  const relay = await serveRelay(files.relaySocket, userName, links);
  undo.push(() => void relay.close());
  known.resolve({ book, environment });
  // First of all at the end: a launcher that is ended, with its job, gives its ranks here time to save what they have.
  if (welcome.index !== commandNode)
    undo.push(async () => {
      if (isToldToEnd(link)) await awaitLauncher(() => server.hasLogins(), welcome.stopGraceMs - 2 * endMs(welcome));
    });

  if (welcome.index === commandNode) {
    await placeHostfile(welcome, roster, undo);
    await testLinks(links, listOthers(roster, welcome.index), Math.max(0, deadline - performance.now()), link.over);
  }
  return environment;
}

/** The others as this node learns of them; what its `known_hosts` says follows. */
function openBook(link: HelperLink, { welcome, files }: Self, roster: Roster): PeerBook {
  const book = new PeerBook(roster, (index) => link.send({ type: 'ask', ...(index === undefined ? {} : { index }) }));
  let writing = Promise.resolve();
  link.onKeys((peers) => {
    book.take(peers);
    writing = writing.then(
      async () => await writeKnownHosts(files, book.known, welcome.sshPort).catch(() => undefined), // the job's own ssh needs none
    );
  });
  return book;
}

function listOthers(roster: Roster, ownIndex: number): Peer[] {
  return roster.filter((peer) => peer.index !== ownIndex);
}

async function serveSsh({ welcome, keys, userName }: Self, known: Promise<Known>, undo: UndoStack): Promise<SshServer> {
  const sessions = new ProcessGroups();
  let environment: Environment = {};
  const server = await startSshServer({
    address: welcome.ip,
    port: welcome.sshPort,
    hostPrivateKey: keys.host.privateKey,
    userName,
    // Nobody gets in before the environment of the ranks stands.
    findKeys: async (address) => {
      const facts = await known;
      environment = facts.environment;
      return await facts.book.keysFrom(address);
    },
    loginTimeoutMs: welcome.discoverDeadlineMs,
    startSession: (request) => startSession(request, environment, sessions, welcome.stopGraceMs),
  });
  undo.push(() => server.close());
  undo.push(() => sessions.end(welcome.index === commandNode ? welcome.stopGraceMs : endMs(welcome)));
  return server;
}

/** Of the time that the container has for its end, what processes get that have not ended with the master's command; as much is kept for its removal. */
function endMs({ stopGraceMs }: Welcome): number {
  return stopGraceMs / 10;
}

/** Where the helper is gone, nobody sees to this container any more: it ends at once. */
function isToldToEnd({ over }: HelperLink): boolean {
  return over.reason instanceof PartIsOver && over.reason.reason !== 'helper-lost';
}

function startSession(
  { command, environment: asked }: SessionRequest,
  environment: Environment,
  sessions: ProcessGroups,
  graceMs: number,
): SessionProcess {
  const group = new ProcessGroup('/bin/sh', command === undefined ? [] : ['-c', command], {
    env: { ...environment, ...asked },
    stdio: 'pipe',
  });
  sessions.add(group);
  return {
    child: group.child,
    signal: (name) => void group.signal(name),
    end: () => void group.end(graceMs),
  };
}

async function placeHostfile({ workdir, hostfile, job }: Welcome, roster: Roster, undo: UndoStack): Promise<void> {
  if (hostfile === undefined || hostfile === '') return;
  undo.push(await placeApplicationHostfile({ workdir, name: hostfile, job, text: formatHostfile(roster) }));
}
