import type Docker from 'dockerode';
import type { Container, ContainerActivity, ContainerOutput, StartedContainer } from '../ports/container-engine.ts';
import { JobError } from '../values/errors.ts';
import { moreMemoryHint } from '../values/own-memory.ts';
import { callEngine } from './call-engine.ts';
import type { EngineClient } from './call-engine.ts';
import { awaitContainerEnd } from './await-container-end.ts';
import { findWritableLayer } from './find-writable-layer.ts';
import { inspectContainer } from './inspect-container.ts';
import { lifeOf } from './process-life.ts';
import type { ProcessLife } from './process-life.ts';
import { attachStream, reattachOutput } from './reattach-output.ts';
import { splitOutput } from './split-output.ts';
import { verifyConfinement } from './verify-confinement.ts';
import type { Confinement } from './verify-confinement.ts';
import { retryUntil } from '../system/retry-until.ts';

/** In which an engine takes note of a process that has ended. */
const noticeMs = 2000;

/** Handle of a container that is there, or was: what may be done with one that another process made. */
function openContainer(client: EngineClient, id: string): Pick<Container, 'id' | 'stop' | 'pause' | 'unpause'> {
  const container = client.docker.getContainer(id);
  return {
    id,
    stop: (graceSeconds) => stopContainer(client, container, graceSeconds),
    pause: () => setPaused(client, container, true),
    unpause: () => setPaused(client, container, false),
  };
}

/** Handle of a container that we have just created. */
export function controlContainer(client: EngineClient, id: string, expected: Confinement): Container {
  const container = client.docker.getContainer(id);
  let life: ProcessLife | undefined;
  return {
    ...openContainer(client, id),
    attachOutput: (onGap) => attachOutput(client, container, () => life, onGap),
    start: async () => {
      const started = await startContainer(client, container, expected);
      life = await lifeOf(started.pid);
      return started;
    },
    waitForEnd: (signal) => awaitContainerEnd(client, container, signal, life),
    remove: () => removeContainer(client, id),
  };
}

async function attachOutput(
  client: EngineClient,
  container: Docker.Container,
  life: () => ProcessLife | undefined,
  onGap: () => void = () => undefined,
): Promise<ContainerOutput> {
  const stream = await attachStream(client, container);
  return splitOutput(stream, () => reattachOutput(client, container, onGap, life));
}

async function startContainer(
  client: EngineClient,
  container: Docker.Container,
  expected: Confinement,
): Promise<StartedContainer> {
  await callEngine<unknown>(client, 'start the container', (abortSignal) => container.start({ abortSignal }), {
    meaning: { 304: () => undefined, 500: refuseLimits },
  });
  const found = await inspectContainer(client, container);
  if (found?.State.Running !== true) throw endedAtOnce(found?.State);
  const pid = found.State.Pid;
  try {
    await verifyConfinement(pid, expected);
  } catch (error) {
    const isAlive = await (await lifeOf(pid)).isAlive();
    const ended = isAlive ? undefined : await readEnd(client, container);
    // Nothing of the user has run in it yet, and nothing shall.
    await removeContainer(client, container.id).catch(() => undefined);
    throw isAlive ? error : endedAtOnce(ended);
  }
  const writableLayer = await findWritableLayer(found.GraphDriver, pid);
  return { pid, networkNamespacePath: found.NetworkSettings.SandboxKey, writableLayer };
}

/** How a container has ended whose first process is gone; undefined when the engine takes no note of that soon. */
async function readEnd(
  client: EngineClient,
  container: Docker.Container,
): Promise<Docker.ContainerInspectInfo['State'] | undefined> {
  const look = async (): Promise<Docker.ContainerInspectInfo['State'] | undefined> => {
    const found = await inspectContainer(client, container).catch(() => undefined);
    return found?.State.Running === false ? found.State : undefined;
  };
  return await retryUntil(look, { pauseMs: 50, deadlineMs: noticeMs });
}

/** Before it could be looked at: by itself, which is the image's doing, or since somebody has killed it. */
function endedAtOnce(state: Docker.ContainerInspectInfo['State'] | undefined): JobError {
  if (state?.OOMKilled === true) return outOfMemory();
  const isKilled = state === undefined || state.ExitCode > 128;
  return new JobError({
    code: isKilled ? 'NODE_LOST' : 'IMAGE_UNUSABLE',
    message: `The container ended as soon as it was started, with exit status ${state?.ExitCode ?? '(unknown)'}.`,
  });
}

/** Not temporary: the next try would need as much. */
export function outOfMemory(): JobError {
  return new JobError({
    code: 'OUT_OF_MEMORY',
    message: 'the container was killed because it needed more memory than the job was given.',
    hint: moreMemoryHint,
  });
}

function refuseLimits(engineSays: string): never {
  if (/OOM-killed/i.test(engineSays)) throw outOfMemory(); // runc's word on its own first process
  const isLimit = engineSays.includes('rlimit');
  throw new JobError({
    code: 'HOST_UNFIT',
    message: `The Docker Engine could not start the container: ${engineSays}.`,
    hint: isLimit
      ? 'Lower container.memlock, .nofile or .stackBytes in site.yaml, or raise the limits of dockerd.'
      : undefined,
  });
}

async function stopContainer(client: EngineClient, container: Docker.Container, graceSeconds: number): Promise<void> {
  // A frozen process sees no signal.
  if ((await inspectContainer(client, container))?.State.Paused === true) await setPaused(client, container, false);
  await callEngine<unknown>(
    client,
    'stop the container',
    (abortSignal) => container.stop({ t: graceSeconds, abortSignal }),
    { meaning: { 304: () => undefined, 404: () => undefined }, extraMs: graceSeconds * 1000 },
  );
}

async function setPaused(client: EngineClient, container: Docker.Container, paused: boolean): Promise<void> {
  const verb = paused ? 'pause' : 'unpause';
  try {
    await callEngine<unknown>(client, `${verb} the container`, (abortSignal) => container[verb]({ abortSignal }));
  } catch (error) {
    // The status for "is so already" differs between versions of the engine: the state decides.
    const found = await inspectContainer(client, container);
    if (found?.State.Running !== true || found.State.Paused !== paused) throw error;
  }
}

/** What a container does by the engine's word; undefined when there is none. */
export async function findActivity(client: EngineClient, id: string): Promise<ContainerActivity | undefined> {
  const found = await inspectContainer(client, client.docker.getContainer(id));
  if (found === undefined) return undefined;
  const { Running, Paused, Pid } = found.State;
  return { kind: Running ? (Paused ? 'paused' : 'running') : 'ended', pid: Pid };
}

/** Kills and removes a container with its anonymous volumes, and returns when it is gone; repeat-safe. */
export async function removeContainer(client: EngineClient, id: string): Promise<void> {
  const container = client.docker.getContainer(id);
  const outcome = await callEngine<unknown>(
    client,
    'remove the container',
    (abortSignal) => container.remove({ force: true, v: true, abortSignal }),
    { meaning: { 404: () => undefined, 409: () => 'in progress' } },
  );
  if (outcome !== 'in progress') return;
  const isGone = async (): Promise<true | undefined> =>
    (await inspectContainer(client, container)) === undefined ? true : undefined;
  if (await retryUntil(isGone, { pauseMs: 100, deadlineMs: client.callTimeoutMs })) return;
  throw new JobError({
    code: 'HOST_UNFIT',
    message: `Container ${id.slice(0, 12)} is being removed by somebody else and does not go away.`,
  });
}
