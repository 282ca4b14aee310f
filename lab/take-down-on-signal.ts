/** An interrupted demo or test run leaves no lab behind. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A command that was interrupted may hold the lab's lock for some seconds more. */
const lockWaitSeconds = '30';

export interface SignalWatch {
  /** Resolves at once, but never when a signal has come: then the labs are being taken down and the process ends by itself. */
  settle(): Promise<void>;
}

/**
 * From now on SIGINT and SIGTERM take the labs down and end this process with status 130. Processes of their own do it: a
 * test runner may end this one first, and the signal goes to the whole process group. A lab that is not up is fine.
 */
export function takeDownOnSignal(names: readonly string[], say: (text: string) => void): SignalWatch {
  let hasCome = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (hasCome) return;
    hasCome = true;
    say(`\n${signal}: taking down ${names.length === 1 ? 'the lab' : 'the labs'} ${names.join(', ')} …`);
    void Promise.allSettled(names.map(takeDownApart)).then(() => process.exit(130));
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  return {
    settle: async () => {
      if (hasCome) await new Promise(() => undefined);
    },
  };
}

async function takeDownApart(name: string): Promise<void> {
  const cli = fileURLToPath(new URL('cli.ts', import.meta.url));
  const down = spawn(process.execPath, [cli, 'down', '--name', name, '--wait', lockWaitSeconds], {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  await once(down, 'close');
}
