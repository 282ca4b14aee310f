import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { verifyBeside } from '../../cgroup/verify-beside.ts';
import { containerPaths, runtimeOptions } from '../../contract/container-paths.ts';
import { enteredLine } from '../../contract/enter-protocol.ts';
import type { EntryOrder } from '../../contract/enter-protocol.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { nodeRunDirectory } from '../../contract/own-objects.ts';
import { lifeOf } from '../../docker/process-life.ts';
import { verifyConfinement } from '../../docker/verify-confinement.ts';
import type { EnteredProcess } from '../../ports/container-engine.ts';
import { pause, within } from '../../system/deadline.ts';
import { retryUntil } from '../../system/retry-until.ts';
import { JobError } from '../../values/errors.ts';
import { OutputDelivery } from '../host/deliver-output.ts';
import { markHelper } from '../host/helper-marks.ts';
import { jobRunDirectory } from '../host/run-directory.ts';
import type { HelperContext } from '../open-context.ts';
import { findEnteredNode } from './find-entered-node.ts';
import type { EnteredNode } from './find-entered-node.ts';
import { guardSession } from './guard-session.ts';
import type { SessionGuard } from './guard-session.ts';
import { meetClient } from './meet-client.ts';
import type { EnterClient } from './meet-client.ts';
import { requireSettledGroups } from './require-settled-groups.ts';

/** Between two looks whether what runs has ended; the end of its output is looked at besides. */
const lookEveryMs = 200;
/** In which the engine notes how it has ended, or that its container has. */
const noteMs = 3000;
/** Of a reader that stands still at the end. */
const standStillMs = 10_000;
const killed = 137;

/** Who may still be at the terminal of what runs. */
interface Visit {
  readonly context: HelperContext;
  readonly entered: EnteredNode;
  readonly client: EnterClient;
  /** Aborts when this process is told to end. */
  readonly told: AbortSignal;
}

/**
 * Runs what the client asks for in the container of a node on this host, as the job's own processes run, with the
 * client's terminal or pipes; ends it when the client is gone. Returns its exit status. Fails as `findEnteredNode` does,
 * and with `TERMINATED` when the job ends first.
 */
export async function enterJob(context: HelperContext, job: JobKey, index: number): Promise<number> {
  const client = await meetClient(process.stdin);
  const entered = await findEnteredNode(context, job, index);
  const { plan, node } = entered;
  const { command, terminal } = client.request;
  context.audit.allow(context.caller.kind === 'root' ? 'root' : 'owner', {
    ...{ owner: plan.user.uid, node: node.index, terminal: terminal !== undefined },
    ...(command[0] === undefined ? {} : { program: command[0] }),
  });
  await context.audit.requireWritable();
  await requireSettledGroups(entered);
  using told = listenToEnd();
  return await visit({ context, entered, client, told: told.signal });
}

async function visit(about: Visit): Promise<number> {
  const { entered, client } = about;
  const { plan, node } = entered;
  const leave = `enter-${randomBytes(16).toString('hex')}`;
  const leaveFile = `${nodeRunDirectory(plan.job, node.index)}/helper/${leave}`;
  await using undo = new AsyncDisposableStack();
  // The engine removes no container whose output nobody takes.
  undo.use(await markHelper(jobRunDirectory(plan.job)));
  const started = await start(about, leave);
  undo.defer(() => started.release());
  const guard = await guardSession(started.pid);
  undo.defer(async () => await guard.end()); // nothing more to do once it has been released
  await verifyEntered(entered, started);
  const delivery = new OutputDelivery(process);
  delivery.begin(started.output);
  undo.defer(async () => await rm(leaveFile, { force: true }));
  await writeFile(leaveFile, '', { mode: 0o444 });
  if (client.request.terminal !== undefined) {
    await started.resize(client.request.terminal);
    process.stderr.write(`${enteredLine}\n`);
  }
  client.follow(started);
  return await seeOut(about, started, guard, delivery);
}

async function start({ context, entered, client }: Visit, leave: string): Promise<EnteredProcess> {
  const { user } = entered.plan;
  const { command, terminal } = client.request;
  const order: EntryOrder = {
    leave,
    command,
    isTerminal: terminal !== undefined,
    ...(terminal?.name === undefined ? {} : { terminalName: terminal.name }),
  };
  const argv = [...(await firstProgram(context, entered)), JSON.stringify(order)];
  return await context.engine.enterContainer(entered.containerId, {
    ...{ argv, uid: user.uid, gid: user.gid },
    isTerminal: terminal !== undefined,
  });
}

/** Ours, by the runtime's own loader: nothing of the image runs before it is proven how it runs. */
async function firstProgram(context: HelperContext, { containerPid }: EnteredNode): Promise<readonly string[]> {
  const { runtime } = containerPaths;
  const program = `${runtime}/enter.cjs`;
  if (!existsSync(`/proc/${containerPid}/root${program}`)) {
    throw new JobError({
      code: 'HOST_UNFIT',
      message: 'The job was started by a release of hpc-submit-dockerjob that nobody can enter.',
      hint: 'Jobs that start from now on can be entered.',
    });
  }
  const { loaderName } = await context.findRuntime();
  const loader = [`${runtime}/lib/${loaderName}`, '--library-path', `${runtime}/lib`];
  return [...loader, `${runtime}/bin/node`, ...runtimeOptions, program];
}

/** By the kernel's word, before a word of the user's runs. Fails with `HOST_UNFIT`. */
async function verifyEntered({ plan, containerPid }: EnteredNode, { pid }: EnteredProcess): Promise<void> {
  const { uid, gid, groups } = plan.user;
  await verifyConfinement(pid, {
    uid,
    gid,
    supplementaryGids: groups.map((group) => group.gid).filter((id) => id !== 0),
  });
  await verifyBeside(pid, containerPid);
}

/** Waits until what runs has ended, its client is gone, or this process is told to end. */
async function seeOut(
  { context, entered, client, told }: Visit,
  started: EnteredProcess,
  guard: SessionGuard,
  delivery: OutputDelivery,
): Promise<number> {
  const life = await lifeOf(started.pid);
  const settled = new AbortController();
  const isOver = (async () => {
    while (await life.isAlive()) await pause(lookEveryMs, { signal: settled.signal });
    return 'over' as const;
  })();
  const end = await Promise.race([
    isOver,
    client.gone.then(() => 'gone' as const),
    once(process.stdout, 'close').then(() => 'gone' as const), // nobody reads any more
    new Promise<'told'>((resolve) => told.addEventListener('abort', () => resolve('told'))),
  ]);
  if (end !== 'over') {
    await guard.end();
    settled.abort();
  }
  const rest = delivery.takeRest();
  const status = await readEnd(context, entered, started);
  if (status === 'job over') throw jobOver(entered);
  if (end === 'told') throw new JobError({ code: 'TERMINATED', message: 'The helper of this shell was told to end.' });
  if (end === 'gone') return status; // nobody reads
  guard.release();
  await within(noteMs, rest, undefined);
  await delivery.finish({ standStillMs, toldMs: standStillMs, told });
  return status;
}

/** How what ran has ended, or that its job has; the engine notes either a moment later. */
async function readEnd(
  { engine }: HelperContext,
  { containerId }: EnteredNode,
  started: EnteredProcess,
): Promise<number | 'job over'> {
  const look = async (): Promise<number | 'job over' | undefined> => {
    const activity = await engine.findActivity(containerId);
    if (activity === undefined || activity.kind === 'ended') return 'job over';
    const status = await started.readStatus();
    return status === killed ? undefined : status;
  };
  const end = await retryUntil(look, { pauseMs: 50, deadlineMs: noteMs });
  return end ?? (await started.readStatus()) ?? killed;
}

function jobOver({ plan: { job } }: EnteredNode): JobError {
  return new JobError({
    code: 'TERMINATED',
    message: `Job ${job} has ended, and with it what ran in its container.`,
  });
}

/** A scheduler that ends the job, or the step that we are in, says so to every process. */
function listenToEnd(): { readonly signal: AbortSignal } & Disposable {
  const told = new AbortController();
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
  const end = (): void => told.abort();
  for (const signal of signals) process.on(signal, end);
  return {
    signal: told.signal,
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, end);
    },
  };
}
