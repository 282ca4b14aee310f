/** All programs of the stand-in LSF in one file: the first argument says which. See docs/lab.md. */
import { serveHost } from './agent.ts';
import { bjobs } from './bjobs.ts';
import { blaunch } from './blaunch.ts';
import { bmod } from './bmod.ts';
import { bsub } from './bsub.ts';
import { CommandError, failureStatus } from './command-error.ts';
import { serveCluster } from './daemon.ts';
import { bkill, bresume, bstop } from './job-commands.ts';
import { lsrun } from './lsrun.ts';
import { readSettings } from './settings.ts';
import type { Settings } from './settings.ts';
import { bhosts, bparams, bqueues } from './show-cluster.ts';

type Command = (settings: Settings, argv: readonly string[]) => Promise<number>;

const commands: Readonly<Record<string, Command>> = {
  bsub,
  bjobs,
  bkill,
  bstop,
  bresume,
  lsrun,
  blaunch,
  bqueues,
  bhosts,
  bparams,
  bmod,
};
const daemons: Readonly<Record<string, (settings: Settings) => void>> = {
  daemon: serveCluster,
  agent: (settings) => serveHost(settings),
};

async function main([program = '', ...argv]: readonly string[]): Promise<void> {
  // A reader that goes away early, as `bjobs | head` does, is no failure.
  process.stdout.on('error', () => process.exit(0));
  try {
    const settings = readSettings(process.env);
    const serve = Object.hasOwn(daemons, program) ? daemons[program] : undefined;
    if (serve !== undefined) {
      serve(settings);
      return;
    }
    const command = Object.hasOwn(commands, program) ? commands[program] : undefined;
    if (command === undefined) throw new CommandError(`${program}: no such program of the LSF stand-in.`);
    leave(await command(settings, argv));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    process.stderr.write(`${error.message}\n`);
    leave(failureStatus);
  }
}

/** Ends although standard input may still be open, but not before all output is out. */
function leave(status: number): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(status)));
}

await main(process.argv.slice(2));
