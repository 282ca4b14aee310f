import { hostname } from 'node:os';
import { execa } from 'execa';
import { JobError } from '../values/errors.ts';
import { hostNameSchema } from '../contract/job-request.ts';

/**
 * Strict, and with nobody to ask: hosts of a cluster know each other's keys, or the job ends with ssh's own words. The
 * system's client, because only it can log in as the site does it: by host (ssh-keysign), Kerberos, certificates, agents.
 */
const sshOptions = [
  '-T',
  ...['BatchMode=yes', 'StrictHostKeyChecking=yes', 'ConnectTimeout=15', 'ClearAllForwardings=yes', 'LogLevel=ERROR'],
  ...['ServerAliveInterval=15', 'ServerAliveCountMax=4', 'EscapeChar=none', 'PermitLocalCommand=no'],
].flatMap((option) => (option.startsWith('-') ? [option] : ['-o', option]));

const stopGraceMs = 5000;

/**
 * Runs `argv` once on each host and waits for all: on this one directly, on the others by ssh. Resolves to the first
 * status that is not 0. TERM and INT end what was started; the helpers on other hosts end by the job's own end.
 */
export async function spreadBySsh(ssh: string, hosts: readonly string[], argv: readonly string[]): Promise<number> {
  const [file, ...words] = argv;
  if (file === undefined) throw new RangeError('There is no command to spread');
  demandPlainWords(hosts, argv);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  const options = {
    stdin: 'ignore',
    stdout: 'inherit',
    stderr: 'inherit',
    buffer: false,
    reject: false,
    cancelSignal: stop.signal,
    forceKillAfterDelay: stopGraceMs,
  } as const;
  const isHere = (host: string): boolean => host.split('.')[0] === hostname().split('.')[0];
  const ended = await Promise.all(
    hosts.map(async (host) =>
      isHere(host)
        ? await execa(file, words, options)
        : await execa(ssh, [...sshOptions, '--', host, ...argv], options),
    ),
  );
  // No status: it was ended by us, or could not be started at all.
  const statuses = ended.map(({ exitCode, isTerminated }) => exitCode ?? (isTerminated ? 143 : 69));
  return statuses.find((status) => status !== 0) ?? 0;
}

/** ssh joins the words with blanks, and a shell at the other end splits them: only words that come through unchanged. */
function demandPlainWords(hosts: readonly string[], argv: readonly string[]): void {
  const odd =
    hosts.find((host) => !hostNameSchema.safeParse(host).success) ??
    argv.find((word) => !/^[A-Za-z0-9_./:=@+-]+$/.test(word));
  if (odd === undefined) return;
  throw new JobError({
    code: 'USAGE',
    message: `"${odd.slice(0, 80)}" cannot be handed on through ssh.`,
    hint: 'spread is called by hpc-submit-dockerjob itself. Its path must hold no blanks or special characters.',
  });
}
