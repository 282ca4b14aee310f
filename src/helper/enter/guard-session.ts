import { once } from 'node:events';
import { dirname, resolve } from 'node:path';
import { checkUntamperable } from '../../system/check-untamperable.ts';
import { within } from '../../system/deadline.ts';
import { startAsRoot } from '../../system/start-as-root.ts';
import { JobError } from '../../values/errors.ts';
import { readProcess } from '../host/read-process.ts';

/** Who ends what was started in a container when nobody is at its terminal any more, however this process ends. */
export interface SessionGuard {
  /** It has ended by itself: what it has left running goes on, as after a login. */
  release(): void;
  /** Ends all of the session now; resolves when that is done, or has taken too long. */
  end(): Promise<void>;
}

const readyMs = 10_000;
const endMs = 10_000;

/**
 * Starts the guard of a session that this process has opened in a container: a shell of root's, in no cgroup and session
 * of the job, which outlives this process. Fails with `HOST_UNFIT`; with `NODE_LOST` when the session has ended already.
 */
export async function guardSession(pid: number): Promise<SessionGuard> {
  const program = resolve(dirname(process.argv[1] ?? ''), '../share/guard-session');
  await checkUntamperable(program, { expected: 'file' });
  const leader = await readProcess(pid);
  if (leader === undefined) throw new JobError({ code: 'NODE_LOST', message: 'What was started has ended at once.' });
  const words = [program, String(pid), leader.startTicks];
  const child = startAsRoot('/bin/bash', words, { hasInput: true, hasOutput: true, dropsGroups: true });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw unguarded();
  const over = once(child, 'exit').catch(() => undefined);
  const word = await within(
    readyMs,
    once(stdout, 'data').catch(() => undefined),
    undefined,
  );
  if (String(word?.[0]) !== 'ready\n') throw unguarded();
  return {
    release: () => void stdin.end('over\n'),
    end: async () => {
      stdin.end();
      await within(endMs, over, undefined);
    },
  };
}

function unguarded(): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: 'The program that ends abandoned sessions did not start on this host.',
    hint: 'It is share/guard-session of the package and needs /bin/bash.',
  });
}
