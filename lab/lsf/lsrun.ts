/** lsrun: runs a command on another host. Its own exit status is always 0, as recorded. */
import { CommandError } from './command-error.ts';
import { runRemoteTasks } from './remote-tasks.ts';
import type { Settings } from './settings.ts';

const usage = 'Usage: lsrun [-h] [-V] [-P] [-v] [-p] [-R res_req] [-m host_name ...] [--] command [argument ...]';
const blanks = /\s+/;

interface LsrunOptions {
  readonly hosts: readonly string[];
  readonly isParallel: boolean;
  readonly isVerbose: boolean;
  readonly argv: readonly string[];
}

/** Runs the command and returns 0, however it ended. */
export async function lsrun(settings: Settings, argv: readonly string[]): Promise<number> {
  const options = parseLsrun(argv);
  const [first = settings.hosts[0]?.name ?? ''] = options.hosts;
  await runRemoteTasks(settings, {
    hosts: options.isParallel ? options.hosts : [first],
    argv: options.argv,
    takesInput: true,
    onStart: (host) => {
      if (options.isVerbose) process.stderr.write(`<<Execute ${options.argv[0] ?? ''} on remote host ${host}>>\n`);
    },
  });
  return 0;
}

/** Options are looked for behind the command, too, as GNU getopt does: a command with options of its own needs `--`. */
export function parseLsrun(argv: readonly string[]): LsrunOptions {
  const words: string[] = [];
  let hosts: string[] = [];
  const flags = new Set<string>();
  const rest = [...argv];
  while (rest.length > 0) {
    const word = rest.shift() ?? '';
    if (word === '--') {
      words.push(...rest.splice(0));
    } else if (!/^-./.test(word)) {
      words.push(word);
    } else if (/^-[mR]/.test(word)) {
      const value = word.length > 2 ? word.slice(2) : (rest.shift() ?? '');
      if (word.startsWith('-m')) hosts = value.split(blanks).filter(Boolean);
    } else {
      const bad = /[^PvpLS]/.exec(word.slice(1))?.[0];
      if (bad !== undefined) throw new CommandError(`lsrun: invalid option -- '${bad}'\n${usage}`);
      for (const letter of word.slice(1).split('')) flags.add(letter);
    }
  }
  if (words.length === 0) throw new CommandError(usage);
  return { hosts, isParallel: flags.has('p'), isVerbose: flags.has('v'), argv: words };
}
