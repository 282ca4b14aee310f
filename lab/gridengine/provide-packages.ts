/** Grid Engine's Debian packages, for the hosts of labs alone: nothing of them is installed on the machine. */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { LabError } from '../lab-error.ts';
import { cacheDir } from '../layout.ts';
import { run } from '../run-command.ts';

export const packageDir = `${cacheDir}/gridengine`;
/** Besides its own packages what they need of others that the rest of the lab does not bring. */
const packageNames = ['gridengine-common', 'gridengine-client', 'gridengine-master', 'gridengine-exec', 'libjemalloc2'];
const timeoutMs = 300_000;

/**
 * Fetches the packages into the cache, unless they are there. They are unpacked in the hosts and never installed: their
 * maintainer scripts would bring a mail server, and start daemons on the machine.
 */
export async function provideGridEngine(mayDownload: boolean, cgroups: readonly string[]): Promise<string> {
  if ((await listPackages()).length === packageNames.length) return 'cached';
  const command = `apt-get download ${packageNames.join(' ')}`;
  if (!mayDownload) throw new LabError(`Grid Engine's packages are not in ${packageDir}.`, `Leave out --no-apt.`);
  const partial = `${packageDir}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const options = { cgroups, cwd: partial, timeoutMs };
  try {
    await run(command.split(' '), options);
  } catch {
    // The package lists may be missing or old; only then are they fetched.
    await run(['apt-get', 'update'], options);
    await run(command.split(' '), options);
  }
  await rm(packageDir, { recursive: true, force: true });
  await rename(partial, packageDir);
  return 'downloaded';
}

/** File names of the packages in the cache. */
export async function listPackages(): Promise<readonly string[]> {
  const names = await readdir(packageDir).catch(() => []);
  return names.filter((name) => packageNames.some((each) => name.startsWith(`${each}_`)));
}
