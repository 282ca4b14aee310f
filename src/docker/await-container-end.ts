import type Docker from 'dockerode';
import type { ContainerEnd } from '../ports/container-engine.ts';
import { lasts, pause } from '../system/deadline.ts';
import { JobError } from '../values/errors.ts';
import type { EngineClient } from './call-engine.ts';
import { isUnreachable } from './call-engine.ts';
import { inspectContainer } from './inspect-container.ts';
import type { ProcessLife } from './process-life.ts';

/** One wait lasts so long at most: a connection that died with the engine is noticed by then. */
const waitMs = 5000;
const lookEveryMs = 1000;
/** After the end of the container's first process, for an engine that comes back and says how it ended. */
const unseenMs = 10_000;

/**
 * The end of a container, read from its state; a wait at the engine only says when to look. An engine that is away ends
 * nothing for `client.absenceMs`: meanwhile the container's first process, where it is known, tells whether it lives.
 * Fails with `NODE_LOST` when the container was removed, or has ended unseen, and with `ENGINE_UNREACHABLE` afterwards.
 */
export async function awaitContainerEnd(
  client: EngineClient,
  container: Docker.Container,
  signal: AbortSignal,
  life?: ProcessLife,
): Promise<ContainerEnd> {
  // Since the first failure, not the last answer: a scheduler that froze this process for hours was not the engine's absence.
  let awaySince: number | undefined;
  const unseen = new UnseenEnd(life);
  for (;;) {
    signal.throwIfAborted();
    const state = await unseen.unlessEnded(readState(client, container)).catch((error: unknown) => {
      awaySince ??= Date.now();
      if (!isUnreachable(error) || Date.now() - awaySince > client.absenceMs) throw error;
    });
    if (state === undefined) {
      await unseen.look();
      await pause(lookEveryMs, { signal });
      continue;
    }
    awaySince = undefined;
    unseen.forget();
    if (state.Status === 'exited' || state.Status === 'dead') {
      return { exitStatus: state.ExitCode, outOfMemory: state.OOMKilled };
    }
    await awaitHint(container, state.Status === 'created' ? 'next-exit' : 'not-running', signal);
  }
}

/** What the kernel knows while the engine does not answer. */
class UnseenEnd {
  readonly #life: ProcessLife | undefined;
  #endedAt: number | undefined;

  constructor(life: ProcessLife | undefined) {
    this.#life = life;
  }

  /** The answer; fails with `NODE_LOST` when none comes and the process has been gone for long enough. */
  async unlessEnded<T>(answer: Promise<T>): Promise<T> {
    const answered = new AbortController();
    const watched = this.#watch(answered.signal);
    watched.catch(() => undefined);
    try {
      return await Promise.race([answer, watched]);
    } finally {
      answered.abort();
      answer.catch(() => undefined);
    }
  }

  /** The engine has answered: it knows better. */
  forget(): void {
    this.#endedAt = undefined;
  }

  /** Fails with `NODE_LOST` when the process has been gone for long enough. */
  async look(): Promise<void> {
    if (this.#life === undefined || (await this.#life.isAlive())) return;
    this.#endedAt ??= Date.now();
    if (Date.now() - this.#endedAt > unseenMs) throw endedUnseen();
  }

  async #watch(answered: AbortSignal): Promise<never> {
    while (await lasts(lookEveryMs, answered, { keepsAlive: false })) await this.look();
    throw answered.reason;
  }
}

function endedUnseen(): JobError {
  return new JobError({
    code: 'NODE_LOST',
    message: 'the container ended while the Docker Engine of its host did not answer, so nobody knows how.',
    hint: 'Safe to submit again; ask the administrators to look at dockerd on this host.',
  });
}

async function readState(
  client: EngineClient,
  container: Docker.Container,
): Promise<Docker.ContainerInspectInfo['State']> {
  const found = await inspectContainer(client, container, { isHurried: true });
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
  const hint = container.wait({ condition, abortSignal: slice }).catch(async () => await pause(500, { signal: slice }));
  await Promise.race([hint, over]);
}
