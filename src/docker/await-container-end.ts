import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { ContainerEnd } from '../ports/container-engine.ts';
import { JobError } from '../values/errors.ts';
import type { EngineClient } from './call-engine.ts';
import { inspectContainer } from './inspect-container.ts';

/** One wait lasts so long at most: a connection that died with the engine is noticed by then. */
const waitMs = 5000;
/** How long the engine may be away: a restart with live-restore takes some seconds. */
const absenceMs = 60_000;

/**
 * The end of a container, read from its state; a wait at the engine only says when to look. Fails with `NODE_LOST` when
 * the container was removed, and with `ENGINE_UNREACHABLE` when the engine is away for a minute.
 */
export async function awaitContainerEnd(
  client: EngineClient,
  container: Docker.Container,
  signal: AbortSignal,
): Promise<ContainerEnd> {
  // Since the first failure, not the last answer: a scheduler that froze this process for hours was not the engine's absence.
  let awaySince: number | undefined;
  for (;;) {
    signal.throwIfAborted();
    const state = await readState(client, container).catch((error: unknown) => {
      awaySince ??= Date.now();
      if (!isUnreachable(error) || Date.now() - awaySince > absenceMs) throw error;
    });
    if (state === undefined) {
      await sleep(1000, undefined, { signal });
      continue;
    }
    awaySince = undefined;
    if (state.Status === 'exited' || state.Status === 'dead') {
      return { exitStatus: state.ExitCode, outOfMemory: state.OOMKilled };
    }
    await awaitHint(container, state.Status === 'created' ? 'next-exit' : 'not-running', signal);
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof JobError && error.code === 'ENGINE_UNREACHABLE';
}

async function readState(
  client: EngineClient,
  container: Docker.Container,
): Promise<Docker.ContainerInspectInfo['State']> {
  const found = await inspectContainer(client, container);
  if (found !== undefined) return found.State;
  throw new JobError({ code: 'NODE_LOST', message: 'The container was removed while it was in use.' });
}

/** Returns when the container may have ended; what the wait itself answers, and whether, does not matter. */
async function awaitHint(
  container: Docker.Container,
  condition: 'next-exit' | 'not-running',
  signal: AbortSignal,
): Promise<void> {
  const slice = AbortSignal.any([signal, AbortSignal.timeout(waitMs)]);
  const over = new Promise((resolve) => slice.addEventListener('abort', resolve, { once: true }));
  const hint = container.wait({ condition, abortSignal: slice }).catch(async () => {
    await sleep(500, undefined, { signal: slice }).catch(() => undefined);
  });
  await Promise.race([hint, over]);
}
