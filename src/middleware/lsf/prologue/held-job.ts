import { lstat, mkdir } from 'node:fs/promises';
import * as z from 'zod';
import { JobError } from '../../../values/errors.ts';
import type { JobKey } from '../../../contract/job-key.ts';
import { lateCommandSchema } from '../../../contract/job-request.ts';
import type { UserRequest } from '../../read-request.ts';

/**
 * What the job starter says to the process that has held its job since before the script, and what it hears: frames over
 * a Unix socket. Both are the user's; one connection is one script.
 */
export const heldFrame = {
  /** Starter, first frame: a `RunOrder` as JSON. */
  run: 1,
  /** Starter or a later prologue, first frame: the job is not wanted; answered when nothing of it is left. */
  dismiss: 2,
  /** Starter: name of a signal. */
  signal: 3,
  /** Holder: the command is on its way. */
  taken: 4,
  /** Holder, last frame: nothing is held any more. */
  dismissed: 5,
  /** Holder: bytes of the command's standard output, of its standard error. */
  output: 6,
  error: 7,
  /** Holder, last frame: a `JobEnd` as JSON. */
  end: 8,
} as const;

/** What was known of a job before its script; a script that wants anything else cannot use what is held. */
export const heldForSchema = z.strictObject({
  application: z.string().optional(),
  image: z.string().optional(),
  workdir: z.string(),
});
export type HeldFor = z.infer<typeof heldForSchema>;

/** That part of a request. */
export function heldForOf({ application, image, workdir }: Omit<UserRequest, 'command'>): HeldFor {
  return { ...(application === undefined ? {} : { application }), ...(image === undefined ? {} : { image }), workdir };
}

export const runOrderSchema = lateCommandSchema.extend({ wanted: heldForSchema });
export type RunOrder = z.infer<typeof runOrderSchema>;

/** Longer ones are run the usual way: neither a frame nor an order to the helper takes more. */
export const maxOrderBytes = 1_000_000;

/** The signals of a job's script that mean something to its containers. */
export const heldSignals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGTSTP', 'SIGCONT'] as const;

/** Where the sockets of a user's held jobs are, on the host of the script. */
export function holderDirectory(uid: number, parent = tmpdirOfHost): string {
  return `${parent}/hpc-dockerjob-${uid}`;
}

/** Not TMPDIR: batch systems set that anew for each process of a job. */
const tmpdirOfHost = '/tmp';

/** The socket of a held job. */
export function holderSocket(directory: string, job: JobKey): string {
  return `${directory}/${job}.sock`;
}

/** The socket at which a job may be held; undefined where there is none, or where another user could have put it. */
export async function findHolderSocket(uid: number, job: JobKey, parent?: string): Promise<string | undefined> {
  const directory = holderDirectory(uid, parent);
  const socket = holderSocket(directory, job);
  const isThere =
    (await isPrivateDirectory(directory, uid)) && (await lstat(socket).catch(() => undefined)) !== undefined;
  return isThere ? socket : undefined;
}

/** True when the directory is there and nobody but its user can have put anything into it. */
async function isPrivateDirectory(path: string, uid: number): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found !== undefined && found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0;
}

/** Makes the directory. Fails with `NOT_PERMITTED` when its name is taken by something that is not the user's alone. */
export async function claimHolderDirectory(path: string, uid: number): Promise<void> {
  await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  });
  if (await isPrivateDirectory(path, uid)) return;
  throw new JobError({
    code: 'NOT_PERMITTED', // not a fault of the host: another user could keep jobs from it
    message: `${path} is not a directory that only you can use, so no job can be held here before its script.`,
    hint: 'Remove it, or ask the administrators of this host to.',
  });
}
