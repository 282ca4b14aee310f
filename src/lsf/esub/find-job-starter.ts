import { execa } from 'execa';
import { findProgram } from '../../system/find-program.ts';

/** The wait for mbatchd is bsub's, too: but the user should not sit before a prompt for what is advice. */
const deadlineMs = 8000;

/**
 * The job starter of a queue, as LSF's own commands show it: empty when the queue has none; undefined where that
 * cannot be known. Without a queue the default one is looked at. Never fails.
 */
export async function findJobStarter(
  queue: string | undefined,
  environment: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const wanted = queue ?? (await findDefaultQueue(environment));
  if (wanted === undefined || !/^[A-Za-z0-9_.-]{1,59}$/.test(wanted)) return undefined;
  const text = await ask('bqueues', ['-l', wanted], environment);
  return text === undefined ? undefined : parseJobStarter(text, wanted);
}

/** What `bqueues -l` says of the job starter; undefined when the text is not the description of that queue. */
export function parseJobStarter(text: string, queue: string): string | undefined {
  const lines = text.split('\n').map((line) => line.trim());
  if (!lines.includes(`QUEUE: ${queue}`)) return undefined;
  const line = lines.find((each) => each.startsWith('JOB_STARTER:'));
  return line === undefined ? '' : line.slice('JOB_STARTER:'.length).trim();
}

async function findDefaultQueue(environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  const own = environment['LSB_DEFAULTQUEUE']?.trim().split(/\s+/)[0];
  if (own !== undefined && own !== '') return own;
  const text = (await ask('bparams', [], environment)) ?? '';
  return /^Default Queues:\s*(\S+)/m.exec(text)?.[1];
}

async function ask(name: string, argv: readonly string[], environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  const file = findProgram(name, `${environment['LSF_BINDIR'] ?? ''}:${environment['PATH'] ?? ''}`);
  if (file === undefined) return undefined;
  const result = await execa(file, argv, {
    env: { LC_ALL: 'C' },
    stdin: 'ignore',
    reject: false,
    timeout: deadlineMs,
    forceKillAfterDelay: 500,
    maxBuffer: 1024 ** 2,
  });
  return result.failed ? undefined : result.stdout;
}
