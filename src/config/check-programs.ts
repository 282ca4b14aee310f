import { findProgram } from '../system/find-program.ts';
import { checkUntamperable } from '../system/check-untamperable.ts';

/**
 * Makes sure that nobody but root can change what runs when root runs one of these programs out of `searchPath`: the
 * directories, also those that do not hold it, and the program itself, links followed. What is in none of them is left
 * to whoever needs it. Fails with `CONFIG_UNTRUSTED`.
 */
export async function checkPrograms(searchPath: string, names: readonly string[]): Promise<void> {
  // A directory that does not exist finds nothing, but could be made.
  const directories = searchPath.split(':');
  await Promise.all(directories.map(async (path) => await checkUntamperable(path, { expected: 'directory' })));
  const files = names.map((name) => findProgram(name, searchPath)).filter((file) => file !== undefined);
  await Promise.all(files.map(async (file) => await checkUntamperable(file, { expected: 'program' })));
}
