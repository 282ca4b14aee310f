import { lstat, readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { isForbiddenName, isForbiddenNumber } from './forbidden-devices.ts';
import { JobError } from '../values/errors.ts';
import { checkUntamperable } from '../system/check-untamperable.ts';
import { splitDevice } from '../system/device-number.ts';

/** More than any host has of what a job is given. */
const mostNodes = 256;

/**
 * Paths of the character devices of this host that match one of the patterns, in order; `*` stands for any text in the last part.
 * Links, directories and files are passed over. Fails with `HOST_UNFIT` where somebody but root can change what is found, and for
 * a device that no site may allow.
 */
export async function findDeviceNodes(patterns: readonly string[]): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const pattern of patterns) {
    const directory = dirname(pattern);
    const names = await readdir(directory).catch(() => []);
    const matches = names.filter((name) => matchesName(name, basename(pattern))).toSorted(byNumber.compare);
    if (matches.length > 0) await checkUntamperable(directory, { expected: 'directory', code: 'HOST_UNFIT' });
    for (const name of matches) if (await isGivable(`${directory}/${name}`)) found.add(`${directory}/${name}`);
    if (found.size > mostNodes) throw unfit(`${pattern} matches more than ${mostNodes} devices`);
  }
  return [...found];
}

/** uverbs10 after uverbs9. */
const byNumber = new Intl.Collator('en', { numeric: true });

function matchesName(name: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(name);
}

async function isGivable(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats?.isBlockDevice() === true) throw forbidden(path, 'is a block device');
  if (stats?.isCharacterDevice() !== true) return false;
  const number = splitDevice(stats.rdev);
  if (isForbiddenName(path) || isForbiddenNumber(number))
    throw forbidden(path, `(${number.major}:${number.minor}) belongs to the host's system`);
  if (stats.uid !== 0) throw unfit(`${path} is owned by uid ${stats.uid}, not by root`);
  return true;
}

function forbidden(path: string, why: string): JobError {
  return unfit(`${path} ${why}, and may never be given to a container`);
}

function unfit(message: string): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: `${message}.`,
    hint: 'Correct devices.allowed in site.yaml, or /dev of this host.',
    rule: 'devices.allowed',
  });
}
