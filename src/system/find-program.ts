import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** Absolute path of a program in the directories of `searchPath`, whose separator is `:`; undefined when it is in none. */
export function findProgram(name: string, searchPath: string): string | undefined {
  return searchPath
    .split(':')
    .filter((directory) => directory.startsWith('/'))
    .map((directory) => join(directory, name))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
