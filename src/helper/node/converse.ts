import type { AgentMessage } from '../../contract/agent-protocol.ts';
import { JobError } from '../../values/errors.ts';
import type { JobEnd, WantedState } from '../../contract/helper-events.ts';
import { commandNode, nodeHostname } from '../../contract/job-key.ts';
import { takeEarlySignals } from '../../system/early-signals.ts';
import { oneLine } from '../../values/one-line.ts';
import type { Suspension } from '../job/follow-suspension.ts';
import type { JobState } from '../job/job-state.ts';
import { hasInput } from '../host/job-input.ts';
import { answerAsks } from './answer-asks.ts';
import { findPeers } from './find-peers.ts';
import type { OwnNode } from './own-node.ts';
import { reached, report } from './own-node.ts';
import type { AgentLink } from './serve-agent.ts';

/**
 * Leads the agent of this node from its first word to the end of the job, and publishes what it reports. That it is the
 * end, the caller tells the agent.
 * Returns the command's end when this node ran the command, undefined when the job ended otherwise.
 * Fails with what the agent says went wrong.
 */
export async function converse(
  own: OwnNode,
  link: AgentLink,
  suspension: Suspension,
  imageEnvironment: Readonly<Record<string, string>>,
): Promise<JobEnd | undefined> {
  using _forwarding = own.signalsByStore ? undefined : forwardSignals(link);
  return await converseUntilOver(own, answerAsks(own, link), suspension, imageEnvironment);
}

async function converseUntilOver(
  own: OwnNode,
  link: AgentLink,
  suspension: Suspension,
  imageEnvironment: Readonly<Record<string, string>>,
): Promise<JobEnd | undefined> {
  const { plan, node } = own;
  const hello = await expectMessage(link, 'hello');
  reached(own, 'hello');
  link.send(welcome(own, imageEnvironment));
  await report(own, {
    IP: node.ip,
    SSHPUBKEY: hello.sshPublicKey,
    HOSTKEY: hello.hostPublicKey,
    READY: 'False',
    PHASE: 'discovering',
  });
  const roster = await own.followed.until((state) => state.roster);
  const peers = roster === undefined ? undefined : await findPeers(own, roster);
  reached(own, 'roster');
  if (peers === undefined) return undefined;
  link.send({ type: 'roster', peers: [...peers] });
  const jobOver = own.followed.until(signalReader(own, link));
  jobOver.catch(() => undefined);
  const isReady = await Promise.race([expectMessage(link, 'ready').then(() => true), jobOver.then(() => false)]);
  reached(own, 'ready');
  if (!isReady) return undefined;
  await report(own, { READY: 'True', PHASE: 'ready' });
  const start = await own.followed.until((state) => (state.hasStarted ? describeStart(own, state) : undefined));
  if (start === undefined) return undefined;
  reached(own, 'start');
  link.send(start);
  // What is wanted of the job counts from here on: a PHASE that says "suspended" must be the later one.
  const running = report(own, { PHASE: 'running' })
    .catch(() => undefined)
    .then(() => void followWanted(own, suspension));
  const end = await Promise.race([serveCommand(link, node.index === commandNode, plan.nodes.length), jobOver]);
  await running;
  return end;
}

function welcome(own: OwnNode, imageEnvironment: Readonly<Record<string, string>>): Parameters<AgentLink['send']>[0] {
  const { plan, node, site } = own;
  return {
    type: 'welcome',
    job: plan.job,
    index: node.index,
    nodeCount: plan.nodes.length,
    hostname: nodeHostname(plan.job, node.index),
    ip: node.ip,
    interfaceName: 'eth0',
    sshPort: plan.sshPort,
    command: plan.command,
    workdir: plan.workdir,
    home: plan.user.home,
    environment: { ...imageEnvironment, ...plan.environment },
    umask: plan.umask,
    input: hasInput(plan, node),
    ...(plan.hostfile === undefined ? {} : { hostfile: plan.hostfile }),
    discoverDeadlineMs: site.deadlines.discoverSeconds * 1000,
    fetchDeadlineMs: site.images.pull === 'never' ? 0 : site.images.fetchSeconds * 1000,
    commandDeadlineMs: plan.command.kind === 'later' ? site.deadlines.scriptSeconds * 1000 : 0,
    stopGraceMs: site.deadlines.stopSeconds * 1000,
  };
}

/** What its agent is told at the start. Fails with `BUG` when neither the plan nor START says what to run. */
function describeStart({ plan, node }: OwnNode, { lateCommand }: JobState): Parameters<AgentLink['send']>[0] {
  if (plan.command.kind !== 'later') return { type: 'start' };
  if (lateCommand === undefined) throw new JobError({ code: 'BUG', message: 'START does not tell the command.' });
  const { command, environment, umask } = lateCommand;
  return {
    type: 'start',
    ...(node.index === commandNode ? { command } : {}),
    environment,
    ...(umask === undefined ? {} : { umask }),
  };
}

/** The next message of this type; remarks on the way are shown, a failure is thrown. */
async function expectMessage<T extends AgentMessage['type']>(
  link: AgentLink,
  type: T,
): Promise<Extract<AgentMessage, { type: T }>> {
  const message = await nextMessage(link);
  if (message.type === type) return message as Extract<AgentMessage, { type: T }>;
  throw new JobError({ code: 'NODE_LOST', message: `The agent said "${message.type}" where "${type}" was due.` });
}

/** Waits for the end of the command; on a node that serves, for a failure. */
async function serveCommand(link: AgentLink, isMaster: boolean, nodeCount: number): Promise<JobEnd> {
  for (;;) {
    const message = await nextMessage(link);
    if (message.type === 'exited' && isMaster) return { by: 'command', exitStatus: message.exitStatus };
    if (message.type === 'started' && isMaster) continue;
    throw new JobError({
      code: 'NODE_LOST',
      message: `The agent said "${message.type}" out of turn (${nodeCount} nodes).`,
    });
  }
}

/** More remarks of one node than this are no help to anybody, and would fill memory when nobody reads them. */
const mostNotes = 100;
/** Characters of one text from a container. */
const mostWords = 1000;
const noteCounts = new WeakMap<AgentLink, number>();

async function nextMessage(link: AgentLink): Promise<AgentMessage> {
  for (;;) {
    const message = await link.receive();
    // The container is about to end: who waits for its end says why, and better.
    if (message === undefined) return await new Promise<never>(() => undefined);
    if (message.type === 'failed')
      throw new JobError({ code: message.code, message: oneLine(message.message, mostWords) });
    if (message.type !== 'note') return message;
    const noteCount = (noteCounts.get(link) ?? 0) + 1;
    noteCounts.set(link, noteCount);
    if (noteCount <= mostNotes)
      process.stderr.write(`hpc-submit-dockerjob: note: ${oneLine(message.message, mostWords)}\n`);
  }
}

/** Passes the command's signals on as they appear in the store, each once. Only the master's agent has the command. */
function signalReader(own: OwnNode, link: AgentLink): (state: JobState) => undefined {
  let passed = 0;
  return ({ signals }) => {
    if (own.node.index !== 0) return;
    for (const signal of signals.slice(passed)) link.send({ type: 'signal', signal });
    passed = Math.max(passed, signals.length);
  };
}

/** Suspends and resumes as WANTED changes, until the job is over. */
async function followWanted({ followed }: OwnNode, suspension: Suspension): Promise<void> {
  let last: WantedState | undefined;
  const look = ({ wanted }: JobState): undefined => {
    if (wanted !== undefined && wanted !== last) suspension.set(wanted === 'suspended');
    last = wanted;
  };
  await followed.until(look).catch(() => undefined);
}

/** Signals that the scheduler itself sends to every process of a step, a warning before the time limit, say; early ones, too. */
function forwardSignals(link: AgentLink): Disposable {
  const forwarded = ['SIGUSR1', 'SIGUSR2'] as const;
  const forward = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGUSR1' || signal === 'SIGUSR2') link.send({ type: 'signal', signal });
  };
  for (const signal of forwarded) process.on(signal, forward);
  takeEarlySignals({}).forEach(forward);
  return { [Symbol.dispose]: () => forwarded.forEach((signal) => process.removeListener(signal, forward)) };
}
