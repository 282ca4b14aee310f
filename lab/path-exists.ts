import { access } from 'node:fs/promises';

/** True when something is at this path. */
export async function pathExists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
