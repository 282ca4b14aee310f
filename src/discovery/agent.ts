import type { AgentMessage } from '../contract/agent-protocol.ts';
import { commandNode } from '../contract/job-key.ts';
import { asJobError, JobError } from '../values/errors.ts';
import { makeKeyPair } from '../ssh/make-key-pair.ts';
import { addVariables } from './files/build-job-environment.ts';
import { connectHelper, PartIsOver } from './connect-helper.ts';
import type { HelperLink } from './connect-helper.ts';
import { describeContainerPlaces, listPrivateFiles } from './files/container-files.ts';
import type { AgentPlaces } from './files/container-files.ts';
import { enterWorkdir } from './launch/enter-workdir.ts';
import { findUserName } from './files/find-user-name.ts';
import { writeSurroundings } from './files/job-surroundings.ts';
import { joinPeers } from './meet/join-peers.ts';
import { openInput } from './launch/open-input.ts';
import { runJobCommand } from './launch/run-job-command.ts';
import { requireShell } from './launch/start-command.ts';
import { UndoStack } from './undo-stack.ts';
import { writeShims } from './files/write-private-files.ts';

/** The network is attached between `hello` and `welcome`; the helper has a deadline of its own and closes the socket. */
const welcomeDeadlineMs = 300_000;

/** The agent of a real container; resolves with its exit status. */
export function main(): Promise<number> {
  return runAgent(describeContainerPlaces());
}

/**
 * Takes this node's part in the job: keys, working directory, SSH server, roster, links, and on node 0 the command.
 * It ends when the helper says so, when the helper is gone, or on a signal, and with it all that it has started.
 */
export async function runAgent(places: AgentPlaces): Promise<number> {
  const keys = { user: makeKeyPair(), host: makeKeyPair() };
  const link = await connectHelper(places.helperSocket);
  const undo = new UndoStack();
  const stopListening = endOnSignals(link);
  try {
    link.send({ type: 'hello', sshPublicKey: keys.user.publicKey, hostPublicKey: keys.host.publicKey });
    const files = listPrivateFiles(places.privateDirectory);
    await writeShims(files, places.sshClientArgv);

    const welcome = await link.receive('welcome', welcomeDeadlineMs);
    enterWorkdir(welcome.workdir);
    requireShell(welcome.command, welcome.nodeCount);
    const self = {
      welcome,
      keys,
      files,
      userName: findUserName(process.env),
      privateDirectory: places.privateDirectory,
    };
    const environment = await joinPeers(link, self, undo);
    // Not before our own files stand, which a umask of 0777 would close to ourselves.
    process.umask(welcome.umask);
    link.send({ type: 'ready' });

    // Later than the keeper's own deadline, which names the node that is late.
    const start = await link.receive('start', 10 * welcome.discoverDeadlineMs + 60_000 + welcome.commandDeadlineMs);
    addVariables(environment, start.environment ?? {}, files);
    if (start.umask !== undefined) process.umask(start.umask);
    const { workdir, umask } = welcome;
    writeSurroundings(files.surroundings, { environment, workdir, umask: start.umask ?? umask });
    if (welcome.index !== commandNode) return await serveUntilOver(link);
    const command = start.command ?? welcome.command;
    if (command.kind === 'later') throw new JobError({ code: 'BUG', message: 'Nobody has told the command.' });
    requireShell(command, welcome.nodeCount);
    const input = welcome.input
      ? await openInput(places.inputPipe, link.over, 10 * welcome.discoverDeadlineMs + 60_000)
      : undefined;
    return await runJobCommand(link, { command, input, stopGraceMs: welcome.stopGraceMs, environment }, undo);
  } catch (error) {
    if (error instanceof PartIsOver) return statusOf(error);
    const failure = asJobError(error);
    link.send(describeFailure(failure.code, [failure.message, failure.hint].filter(Boolean).join(' ')));
    return failure.exitStatus;
  } finally {
    await undo.run();
    await link.close();
    stopListening();
  }
}

async function serveUntilOver(link: HelperLink): Promise<number> {
  await link.whenOver();
  return statusOf(link.over.reason as PartIsOver);
}

function statusOf({ reason }: PartIsOver): number {
  return { finish: 0, 'helper-lost': 69, terminated: 143 }[reason];
}

function describeFailure(code: string, message: string): AgentMessage {
  const known = (['WORKDIR_UNUSABLE', 'IMAGE_UNUSABLE', 'NODE_LATE'] as const).find((name) => name === code);
  return { type: 'failed', code: known ?? 'BUG', message: message.slice(0, 2000) };
}

function endOnSignals(link: HelperLink): () => void {
  const end = (): void => link.declareOver('terminated');
  const report = (error: unknown): void => {
    link.send(
      describeFailure(
        'BUG',
        `The agent has failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      ),
    );
    end();
  };
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, end);
  process.on('uncaughtException', report);
  return () => {
    for (const signal of signals) process.off(signal, end);
    process.off('uncaughtException', report);
  };
}
