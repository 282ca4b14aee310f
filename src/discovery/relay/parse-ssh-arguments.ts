import type { RelayRequest } from './relay-frames.ts';

/** What the caller of `ssh` asked for. */
export type SshInvocation =
  | {
      readonly kind: 'run';
      readonly request: RelayRequest;
      readonly withoutInput: boolean;
      /** The caller goes on at once; the command runs beside it. */
      readonly inBackground: boolean;
      /** For the caller: what of the wish is not fulfilled. */
      readonly notes: readonly string[];
    }
  | { readonly kind: 'version' }
  | { readonly kind: 'refused'; readonly reason: string };

// Options that ask for nothing the job's links lack, or that they have anyway (batch mode, no terminal, no forwarding).
const ignoredFlags = '46aCkqtTvx';
// Options that ask for what the links lack, and without which most commands work as well.
const missed: Readonly<Record<string, string>> = { X: 'X11', Y: 'X11', A: 'agent' };
const forwardings = 'DJLRWNOSMw';
// Options whose value is known better here: every host's port, key and settings are the job's own.
const ignoredWithValue = 'bcEeFimop';

/**
 * Reads arguments as OpenSSH does: options, then host, further options, then the command, whose words are joined by spaces.
 * What would need another kind of link (tunnels, jump hosts) is refused by name.
 */
export function parseSshArguments(args: readonly string[]): SshInvocation {
  let host: string | undefined;
  let user: string | undefined;
  let withoutInput = false;
  let inBackground = false;
  const notes: string[] = [];
  let index = 0;
  for (; index < args.length; index += 1) {
    const word = args[index] ?? '';
    if (word === '--') {
      index += 1;
      host ??= args[index++];
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      if (host !== undefined) break; // the command begins
      host = word;
      continue;
    }
    if (word.startsWith('--')) return refuse(describeForeignOption(word));
    for (let at = 1; at < word.length; at += 1) {
      const flag = word.charAt(at);
      if (flag === 'V') return { kind: 'version' };
      if (flag === 'n') withoutInput = true;
      else if (flag === 'f') inBackground = true;
      else if (Object.hasOwn(missed, flag))
        notes.push(`no ${missed[flag]} forwarding inside a job: -${flag} is ignored`);
      else if (flag === 'l' || ignoredWithValue.includes(flag)) {
        const value = word.slice(at + 1) || args[(index += 1)];
        if (value === undefined) return refuse(`option -${flag} needs a value`);
        if (flag === 'l') user = value;
        break;
      } else if (forwardings.includes(flag))
        return refuse(
          `option -${flag} is not offered inside a job: there are no tunnels, and the nodes reach each other's ports directly`,
        );
      else if (!ignoredFlags.includes(flag)) return refuse(`option -${flag} is not offered inside a job`);
    }
  }
  if (host === undefined || host === '') return refuse('no host is named. Usage: ssh [options] HOST [COMMAND …]');
  const command = args.slice(index);
  return {
    kind: 'run',
    withoutInput: withoutInput || inBackground,
    inBackground,
    notes,
    request: { ...splitDestination(host, user), command: command.length === 0 ? undefined : command.join(' ') },
  };
}

/** OpenSSH has no long options: somebody takes this program for another launcher, as `mpiexec -launcher slurm` does. */
function describeForeignOption(word: string): string {
  const name = word.replace(/=.*/s, '').slice(0, 40);
  return `${name} is no option of ssh: inside a job mpirun and mpiexec start their ranks by ssh, so leave -launcher, -bootstrap and the like away`;
}

function refuse(reason: string): SshInvocation {
  return { kind: 'refused', reason };
}

// `[ssh://][user@]host[:port]`; the option -l wins over the destination's user, as in OpenSSH.
function splitDestination(destination: string, user: string | undefined): { host: string; user: string | undefined } {
  const isUrl = destination.startsWith('ssh://');
  const text = isUrl ? destination.slice('ssh://'.length) : destination;
  const at = text.lastIndexOf('@');
  const host = text.slice(at + 1);
  return {
    host: isUrl ? host.replace(/:\d*\/?$/, '') : host,
    user: user ?? (at === -1 ? undefined : text.slice(0, at)),
  };
}
