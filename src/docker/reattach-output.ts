import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import type { EngineClient } from './call-engine.ts';
import { callEngine, isUnreachable } from './call-engine.ts';
import { inspectContainer } from './inspect-container.ts';
import type { ProcessLife } from './process-life.ts';
import { pause as wait } from '../system/deadline.ts';

/** The first look is soon: nearly always the container has ended, and the job waits for the last of its output. */
const pauseMs = { first: 10, most: 200 } as const;
/** A container's end closes its output a moment before the engine says that it has ended. */
const endLagMs = 1500;

/** The container's output from now on, as the engine's frames. */
export async function attachStream(client: EngineClient, container: Docker.Container): Promise<Readable> {
  const stream = await callEngine(client, 'attach to the container', async (abortSignal) => {
    const options = { stream: true, stdout: true, stderr: true, hijack: true, abortSignal };
    return await container.attach(options);
  });
  // A socket in truth: with `hijack` the library hands over the raw connection.
  return stream as unknown as Readable;
}

/**
 * Output after the stream has ended although the container goes on, or is still to begin: the engine was restarted, with
 * live-restore. Undefined when the container has ended, or is gone. What it wrote meanwhile is lost: `onGap` says so to whoever reads. Fails with
 * `ENGINE_UNREACHABLE` when the engine is away for longer than `client.absenceMs`, or the container has ended meanwhile.
 */
export async function reattachOutput(
  client: EngineClient,
  container: Docker.Container,
  onGap: () => void,
  life: () => ProcessLife | undefined = () => undefined,
): Promise<Readable | undefined> {
  const brokeAt = Date.now();
  let wasAway = false;
  for (let pause: number = pauseMs.first; ; pause = Math.min(2 * pause, pauseMs.most)) {
    try {
      const found = await inspectContainer(client, container, { isHurried: true });
      const isAhead = found?.State.Status === 'created';
      if (found?.State.Running !== true && !isAhead) return undefined;
      if (isAhead) return await attachStream(client, container);
      if (wasAway || Date.now() - brokeAt > endLagMs) {
        const stream = await attachStream(client, container);
        onGap();
        return stream;
      }
    } catch (error) {
      if (!isUnreachable(error) || Date.now() - brokeAt > client.absenceMs) throw error;
      if ((await life()?.isAlive()) === false) throw error;
      wasAway = true;
    }
    await wait(pause);
  }
}
