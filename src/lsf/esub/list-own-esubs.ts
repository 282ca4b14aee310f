import { readdirSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';

/** The program's esub, and the name of the one for every submission. */
const ownFile = 'esub.hpcdocker';
export const everyName = 'hpcdocker';

/**
 * Names of the esubs in LSF's directory that are links to (or of) this program's esub, the one of every submission
 * among them. Empty where the directory cannot be read. Never fails.
 */
export function listOwnEsubs(serverDirectory: string): ReadonlySet<string> {
  if (!serverDirectory.startsWith('/')) return new Set();
  try {
    const files = readdirSync(serverDirectory).filter((file) => file.startsWith('esub.'));
    return new Set(files.filter((file) => isOwn(join(serverDirectory, file))).map((file) => file.slice(5)));
  } catch {
    return new Set();
  }
}

/** Those of them that take an image as their argument: all but the one of every submission and those of aliases. */
export function listImageEsubs(serverDirectory: string, aliases: readonly string[]): readonly string[] {
  return [...listOwnEsubs(serverDirectory)].filter((name) => name !== everyName && !aliases.includes(name)).toSorted();
}

function isOwn(path: string): boolean {
  try {
    return basename(realpathSync(path)) === ownFile;
  } catch {
    return false; // a link to nothing
  }
}
