import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { JobError } from '../shared/errors.ts';

/** Runs programs of the host that configure its network. */
export interface HostCommands {
  /** Standard output. Fails with `HOST_UNFIT` when the program is absent, fails or does not end in time. */
  run(name: string, argv: readonly string[], input?: string): Promise<string>;
}

export interface HostCommandOptions {
  /** Directories with ":" between them: the only places where programs are looked for. */
  readonly commandPath: string;
  readonly timeoutMs?: number;
  /** Stands before every command: `nsenter` with a namespace, where the "host" is one of a laboratory. */
  readonly enter?: readonly string[];
}

/** Programs out of the site's command path, without a shell and with nothing of the caller's environment. */
export function hostCommands({ commandPath, timeoutMs = 10_000, enter = [] }: HostCommandOptions): HostCommands {
  return {
    run: async (name, argv, input = '') => {
      const file = await findProgram(name, commandPath);
      const [first = file, ...rest] = [...enter, file, ...argv];
      const result = await execa(first, rest, {
        env: { PATH: commandPath, LC_ALL: 'C' },
        extendEnv: false,
        input,
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        reject: false,
      });
      if (!result.failed) return result.stdout;
      throw commandFailed(
        name,
        argv,
        result.timedOut ? `no end within ${timeoutMs} ms` : result.stderr || (result.shortMessage ?? 'no reason given'),
      );
    },
  };
}

async function findProgram(name: string, commandPath: string): Promise<string> {
  for (const directory of commandPath.split(':')) {
    const file = path.join(directory, name);
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return file;
  }
  throw new JobError({
    code: 'HOST_UNFIT',
    message: `The program ${name} is not on this host (looked in ${commandPath}).`,
    hint: 'Ask the administrators to install iproute2, nftables, util-linux and procps.',
  });
}

function commandFailed(name: string, argv: readonly string[], reason: string): JobError {
  const words = reason
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, 400);
  return new JobError({ code: 'HOST_UNFIT', message: `"${[name, ...argv].join(' ')}" failed on this host: ${words}.` });
}
