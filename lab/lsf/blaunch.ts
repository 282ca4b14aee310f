/** blaunch, as IBM documents it: starts tasks on hosts of the caller's own job. Only where the stand-in is told to be like IBM's. */
import { readFileSync } from 'node:fs';
import { CommandError } from './command-error.ts';
import { runRemoteTasks } from './remote-tasks.ts';
import type { Settings } from './settings.ts';

const usage = 'Usage: blaunch [-n] [-u host_file | -z host_name ... | host_name] [-no-shell] command [argument ...]';
const blanks = /\s+/;

export interface BlaunchOptions {
  readonly hosts: readonly string[];
  readonly takesInput: boolean;
  readonly argv: readonly string[];
}

/** Runs the command on its hosts and returns the first exit status that is not 0. */
export async function blaunch(settings: Settings, argv: readonly string[]): Promise<number> {
  const { LSB_JOBID: id, LSB_JOBINDEX: index = '0', LSB_DJOB_HOSTFILE: hostFile } = process.env;
  if (id === undefined) throw new CommandError('blaunch: it must be called from within a job.');
  const slots = hostFile === undefined ? [] : readHosts(hostFile);
  const options = parseBlaunch(argv, slots);
  const job = index === '0' ? id : `${id}[${index}]`;
  const statuses = await runRemoteTasks(settings, { ...options, job });
  return statuses.find((status) => status !== 0) ?? 0;
}

/** Without hosts there is one task per slot; a first word that names a host of the job is the host. */
export function parseBlaunch(argv: readonly string[], slots: readonly string[]): BlaunchOptions {
  const rest = [...argv];
  let hosts: readonly string[] | undefined;
  let takesInput = true;
  while (rest[0]?.startsWith('-') === true) {
    const word = rest.shift() ?? '';
    if (word === '--') break;
    if (word === '-n') takesInput = false;
    else if (word === '-z') hosts = (rest.shift() ?? '').split(blanks).filter(Boolean);
    else if (word === '-u') hosts = readHosts(rest.shift() ?? '');
    else if (word !== '-no-shell' && word !== '-use-login-shell') throw new CommandError(usage);
  }
  if (hosts === undefined && rest.length > 1 && slots.includes(rest[0] ?? '')) hosts = [rest.shift() ?? ''];
  if (rest.length === 0) throw new CommandError(usage);
  return { hosts: hosts ?? slots, takesInput, argv: rest };
}

function readHosts(file: string): string[] {
  return readFileSync(file, 'utf8').split(blanks).filter(Boolean);
}
