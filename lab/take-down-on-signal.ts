/** An interrupted demo or test run leaves no lab behind. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A command that was interrupted may hold the lab's lock for some seconds more. */
const lockWaitSeconds = '30';

export interface SignalWatch {
  /** Resolves at once, but never when a signal has come: then the lab is being taken down and the process ends by itself. */
  settle(): Promise<void>;
}

/**
 * From now on SIGINT and SIGTERM take the lab down and end this process with status 130. A process of its own does it: a
 * test runner may end this one first, and the signal goes to the whole process group.
 */
export function takeDownOnSignal(name: string, say: (text: string) => void): SignalWatch {
  let hasCome = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (hasCome) return;
    hasCome = true;
    say(`\n${signal}: taking the lab ${name} down …`);
    const cli = fileURLToPath(new URL('cli.ts', import.meta.url));
    spawn(process.execPath, [cli, 'down', '--name', name, '--wait', lockWaitSeconds], {
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit'],
    }).once('close', () => process.exit(130));
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  return {
    settle: async () => {
      if (hasCome) await new Promise(() => undefined);
    },
  };
}
