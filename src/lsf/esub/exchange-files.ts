import { closeSync, constants, fstatSync, openSync, readFileSync, writeSync } from 'node:fs';
import { JobError } from '../../values/errors.ts';

const maxBytes = 1024 * 1024;

/**
 * Text of the file of `LSB_SUB_PARM_FILE`. It lies in a directory of everybody: only a regular file of our own is read,
 * no link followed. Fails with `REQUEST_INVALID`.
 */
export function readParameterFile(path: string): string {
  return withOwnFile(path, constants.O_RDONLY, (descriptor) => readFileSync(descriptor, 'utf8'));
}

/**
 * Appends changes to LSF's file of changed options: `NAME="text"` or `NAME=number`, one a line. Fails with
 * `REQUEST_INVALID` for a text that LSF could not read back: it knows no escapes.
 */
export function writeParameterChanges(path: string, changes: Readonly<Record<string, string | number>>): void {
  appendLines(path, Object.entries(changes));
}

/** Appends variables to LSF's file of the job's environment, in the same form. */
export function writeEnvironmentChanges(path: string, changes: Readonly<Record<string, string>>): void {
  appendLines(path, Object.entries(changes));
}

function appendLines(path: string, entries: readonly (readonly [string, string | number])[]): void {
  if (entries.length === 0) return;
  const lines = entries.map(([name, value]) => {
    if (typeof value === 'number') return `${name}=${value}\n`;
    if (/["\\\u0000-\u001f]/.test(value)) throw unusable(`${name} cannot be handed to LSF: ${JSON.stringify(value)}`);
    return `${name}="${value}"\n`;
  });
  // Others of this submission's esubs may have written to it before.
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND;
  withOwnFile(path, flags, (descriptor) => writeSync(descriptor, lines.join('')));
}

function withOwnFile<Result>(path: string, flags: number, use: (descriptor: number) => Result): Result {
  let descriptor: number;
  try {
    descriptor = openSync(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
  } catch (cause) {
    throw unusable(`${path} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile() || stats.uid !== process.getuid?.()) throw unusable(`${path} is not a file of yours`);
    if (stats.size > maxBytes) throw unusable(`${path} is longer than 1 MiB`);
    return use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function unusable(reason: string): JobError {
  return new JobError({
    code: 'REQUEST_INVALID',
    message: `The submission cannot be read or changed: ${reason}.`,
    hint: 'This program is called by bsub, through esub.hpcdocker.',
  });
}
