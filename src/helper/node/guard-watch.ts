import { dirname, resolve } from 'node:path';
import { findFreezeState } from '../../cgroup/find-freeze-state.ts';
import type { StartedContainer } from '../../ports/container-engine.ts';
import { checkUntamperable } from '../../system/check-untamperable.ts';
import { within } from '../../system/deadline.ts';
import { readLines } from '../../system/lines.ts';
import { findRootMount } from '../../system/open-files.ts';
import { startAsRoot } from '../../system/start-as-root.ts';
import { JobError } from '../../values/errors.ts';
import { findJsonAs } from '../../values/parse-json-as.ts';
import { readProcess } from '../host/read-process.ts';
import type { OwnNode } from './own-node.ts';
import type { AbandonedContainer, AbandonedLayer } from './take-over-watch.ts';
import { excessSchema } from './take-over-watch.ts';

/** Programs of the guard, which root alone may change. */
export interface GuardPrograms {
  readonly guard: string;
  readonly watch: string;
}

/** Who watches when this process does not. */
export interface WatchGuard extends Disposable {
  /** Resolves once nothing that is done to this process can leave the container unwatched. Fails with `HOST_UNFIT`. */
  readonly ready: Promise<void>;
  /** Rejects with what whoever took over has found; never resolves. */
  readonly exceeded: Promise<never>;
  /** The container runs, and this is known of it. */
  place(layer: AbandonedLayer): void;
  /** The container is paused, and this process may be stopped for as long: nobody need watch. Never fails. */
  sleep(): Promise<void>;
  /** The container goes on in a moment. */
  wake(): void;
  /** The container is gone: nobody need watch. Without this word the guard has it watched after the disposal, too. */
  release(): void;
}

const lookEveryMs = 1000;
/** Processes of a busy host come late, too; whoever takes over without need does no harm. */
const silenceSeconds = 4;
const readyMs = 10_000;
const mostBytes = 4096;

/**
 * Starts the guard of this process's watch: a process of root's in no cgroup and session of the job. Users can freeze or
 * end run-node, as everything that belongs to a job of theirs; then the guard has the container watched by another one.
 * Fails with `HOST_UNFIT` where this process can open no pipe to it.
 */
export function guardWatch(watched: AbandonedLayer | AbandonedContainer, { guard, watch }: GuardPrograms): WatchGuard {
  const words = [guard, String(silenceSeconds), process.execPath, '--disable-sigusr1', watch, JSON.stringify(watched)];
  const child = startAsRoot('/bin/bash', words, { hasInput: true, hasOutput: true, dropsGroups: true });
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw unguarded();
  const started = Promise.withResolvers<true>();
  const over = Promise.withResolvers<never>();
  const fail = (): void => started.reject(unguarded());
  child.on('error', fail).on('exit', fail);
  readLines(stdout as never, mostBytes, (line) => {
    if (line === 'ready') started.resolve(true);
    const excess = findJsonAs(excessSchema, line);
    if (excess !== undefined) over.reject(JobError.fromWire(excess));
  });
  const looks = setInterval(() => void stdin.write('\n'), lookEveryMs).unref();
  for (const stream of [stdin, stdout]) (stream as unknown as { unref?: () => void }).unref?.();
  const ready = within(readyMs, started.promise, 'late' as const).then((word) => {
    if (word === 'late') throw unguarded();
  });
  for (const each of [ready, over.promise]) each.catch(() => undefined);
  let lastWord = '';
  let pid = 'pid' in watched ? watched.pid : undefined;
  return {
    ready,
    exceeded: over.promise,
    place: (layer) => {
      pid = layer.pid;
      stdin.write(`layer ${JSON.stringify(layer)}\n`);
    },
    sleep: async () => {
      const state = pid === undefined ? undefined : await findFreezeState(pid);
      if (state !== undefined) stdin.write(`asleep ${state}\n`);
    },
    wake: () => void stdin.write('awake\n'),
    release: () => void (lastWord = 'over\n'),
    [Symbol.dispose]: () => {
      clearInterval(looks);
      stdin.end(lastWord);
    },
  };
}

/**
 * The guard of a node's own container of this name, before there is one: user and image may have code of theirs run in it from
 * its first moment on, and this process stopped at any. Undefined where nothing need be watched.
 */
export async function guardOwnWatch({ site, plan }: OwnNode, name: string): Promise<WatchGuard | undefined> {
  if (site.container.readOnlyRoot) return undefined;
  const { job, user, token } = plan;
  const bounds = site.container.writableLayer;
  return guardWatch({ job, uid: user.uid, name, token, bounds }, await guardPrograms());
}

/** Tells the guard what it need not ask anybody for then: the container runs. */
export async function placeOwnGuard(
  guard: WatchGuard | undefined,
  { site, plan }: OwnNode,
  { pid, writableLayer }: StartedContainer,
): Promise<void> {
  if (guard === undefined || writableLayer === undefined) return;
  const [first, root] = await Promise.all([readProcess(pid), findRootMount(pid)]);
  if (first === undefined || root === undefined) return; // it has ended already
  const { job, user } = plan;
  const bounds = site.container.writableLayer;
  guard.place({ job, uid: user.uid, directory: writableLayer, pid, startTicks: first.startTicks, root, bounds });
}

async function guardPrograms(): Promise<GuardPrograms> {
  const packageDirectory = resolve(dirname(process.argv[1] ?? ''), '..');
  const programs = {
    guard: `${packageDirectory}/share/guard-disk-watch`,
    watch: `${packageDirectory}/dist/disk-watch.cjs`,
  };
  for (const file of Object.values(programs)) await checkUntamperable(file, { expected: 'file' });
  return programs;
}

function unguarded(): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: 'The program that guards the watch of the Docker Engine’s disk did not start on this host.',
    hint: 'It is share/guard-disk-watch of the package and needs /bin/bash. Or set container.readOnlyRoot: true in site.yaml.',
  });
}
