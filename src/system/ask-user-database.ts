import { JobError } from '../values/errors.ts';
import { boundCommand } from './bound-command.ts';
import { runAsRoot } from './run-as-root.ts';

/** With this getent says that it found no such entry; any other failure says nothing of the entry. */
const notFoundStatus = 2;

export interface DatabaseQuestion {
  /** What is asked about, as a message names it: `uid 2001`. */
  readonly about: string;
  /** `getent`, or a shell that ends with the status of its `getent`. */
  readonly file?: string;
  readonly argv: readonly string[];
  readonly seconds: number;
}

/**
 * What this host's user database says, or undefined when it knows no such entry. Fails with `HOST_UNFIT` when it does not
 * answer in time or not sensibly, as while sssd or LDAP is busy: a user who is not found is another matter.
 */
export async function askUserDatabase(question: DatabaseQuestion): Promise<string | undefined> {
  const { about, file = '/usr/bin/getent', argv, seconds } = question;
  const end = await runAsRoot(...boundCommand(seconds, file, argv), { locale: 'C.UTF-8' });
  if (!end.failed) return end.stdout;
  if (end.exitCode === notFoundStatus) return undefined;
  const isLate = end.signal !== undefined && end.durationMs >= seconds * 1000;
  throw new JobError({
    code: 'HOST_UNFIT',
    message: isLate
      ? `This host's user database did not answer within ${seconds} s when asked about ${about}.`
      : `This host's user database could not be asked about ${about}: ${end.shortMessage ?? 'no reason given'}.`,
    hint: 'Safe to submit again. Administrators: find out why getent is slow or fails on this host; check sssd or nscd.',
  });
}
