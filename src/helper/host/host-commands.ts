import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import * as z from 'zod';
import { JobError } from '../../values/errors.ts';
import { findProgram } from '../../system/find-program.ts';
import { runAsRoot } from '../../system/run-as-root.ts';
import type { HostCommands } from '../../ports/host-commands.ts';
import { oneLine } from '../../values/one-line.ts';
import { parseJsonAs } from '../../values/parse-json-as.ts';
import { networkPrograms } from '../../network/known-networks.ts';

export interface HostCommandOptions {
  /** Directories with ":" between them: the only places where programs are looked for. */
  readonly commandPath: string;
  readonly timeoutMs?: number;
  /** Stands before every command: `nsenter` with a namespace, where the "host" is one of a laboratory. */
  readonly enter?: readonly string[];
}

/** Programs out of the site's command path, without a shell and with nothing of the caller's environment. */
export function hostCommands({ commandPath, timeoutMs = 10_000, enter = [] }: HostCommandOptions): HostCommands {
  const commands = runCommands(commandPath, timeoutMs, enter);
  const asked = askedFacts(commands);
  // Facts of the namespace we are in come without starting a program: each start costs a large process dearly.
  return enter.length === 0 ? { run: commands, ...ownFacts(asked) } : { run: commands, ...asked };
}

type Run = HostCommands['run'];
type Facts = Omit<HostCommands, 'run'>;

function ownFacts(asked: Facts): Facts {
  return {
    readSetting: async (name) => (await readFile(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8')).trim(),
    findInterface: async (address) => {
      const found = Object.entries(networkInterfaces()).find(([, own]) =>
        own?.some((entry) => entry.address === address),
      );
      // Node leaves out a link that is down or has lost its carrier, which may be back in a moment.
      return found?.[0] ?? (await asked.findInterface(address));
    },
  };
}

const linksSchema = z.array(
  z.object({ ifname: z.string(), addr_info: z.array(z.object({ local: z.string().optional() })) }),
);

function askedFacts(run: Run): Facts {
  return {
    readSetting: async (name) => (await run('sysctl', ['-n', name])).trim(),
    findInterface: async (address) => {
      const links = parseJsonAs(linksSchema, await run('ip', ['-json', '-4', 'address', 'show']));
      return links.find(({ addr_info }) => addr_info.some(({ local }) => local === address))?.ifname;
    },
  };
}

function runCommands(commandPath: string, timeoutMs: number, enter: readonly string[]): Run {
  return async (name, argv, input = '') => {
    const file = findProgram(name, commandPath);
    if (file === undefined) throw programMissing(name, commandPath);
    const [first = file, ...rest] = [...enter, file, ...argv];
    const result = await runAsRoot(first, rest, { commandPath, input, timeoutMs, killSignal: 'SIGKILL' });
    if (!result.failed) return result.stdout;
    throw commandFailed(
      name,
      argv,
      result.timedOut ? `no end within ${timeoutMs} ms` : result.stderr || (result.shortMessage ?? 'no reason given'),
    );
  };
}

function programMissing(name: string, commandPath: string): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: `The program ${name} is not on this host (looked in ${commandPath}).`,
    hint: `Ask the administrators to install ${networkPrograms[name] ?? name}.`,
  });
}

function commandFailed(name: string, argv: readonly string[], reason: string): JobError {
  const words = oneLine(reason, 400);
  return new JobError({ code: 'HOST_UNFIT', message: `"${[name, ...argv].join(' ')}" failed on this host: ${words}.` });
}
