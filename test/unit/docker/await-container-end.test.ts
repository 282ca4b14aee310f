import type Docker from 'dockerode';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { awaitContainerEnd } from '../../../src/docker/await-container-end.ts';
import type { EngineClient } from '../../../src/docker/call-engine.ts';

// The clock alone: pauses between two looks at the engine are real, and a second long.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
afterEach(() => void vi.useRealTimers());

const client = {
  ...{ socketPath: '/run/docker.sock', callTimeoutMs: 30_000, retryMs: 0 },
  ...{ absenceMs: 3_600_000, absence: { since: undefined } },
} as EngineClient;
const exited = { Status: 'exited', ExitCode: 3, OOMKilled: false };

interface Look {
  readonly afterSeconds?: number;
  readonly State?: object;
  readonly failure?: Error;
}

/** A container whose engine answers each look in turn, and the later ones like the last. */
function containerOf(...looks: readonly Look[]): Docker.Container {
  let asked = 0;
  return {
    inspect: () => {
      const { afterSeconds = 0, State, failure } = looks[Math.min(asked++, looks.length - 1)] ?? {};
      vi.setSystemTime(Date.now() + 1000 * afterSeconds);
      return failure === undefined ? Promise.resolve({ State }) : Promise.reject(failure);
    },
    wait: () => Promise.resolve(),
  } as unknown as Docker.Container;
}

const endOf = (...looks: readonly Look[]) =>
  awaitContainerEnd(client, containerOf(...looks), new AbortController().signal);
const running = { State: { Status: 'running' } };
const away = (afterSeconds: number): Look => ({ afterSeconds, failure: new Error('connect ECONNREFUSED') });

describe('awaitContainerEnd', () => {
  it('goes on when the engine answers again within the time that the site gives it', async () => {
    expect(await endOf(running, away(5), away(3500), { State: exited })).toEqual({ exitStatus: 3, outOfMemory: false });
  });

  it('fails when the engine is away for longer', async () => {
    await expect(endOf(running, away(5), away(3700))).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' });
  });

  it('does not take hours in which this process was frozen for an absence of the engine', async () => {
    expect(await endOf(running, away(3 * 3600), { State: exited })).toEqual({ exitStatus: 3, outOfMemory: false });
  });

  it('fails when the container was removed', async () => {
    const failure = Object.assign(new Error('no such container'), { statusCode: 404 });
    await expect(endOf(running, { failure })).rejects.toMatchObject({ code: 'NODE_LOST' });
  });
});
