/** This tree's package, installed as the admin guide says, as a disk that guests mount at /opt/hpc-submit-dockerjob. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabError } from '../lab-error.ts';
import { run } from '../run-command.ts';

export const tree = fileURLToPath(new URL('../..', import.meta.url));
const timeoutMs = 300_000;
const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--prefer-offline'];

/** Packs, installs below `runDir` and makes the disk there; returns its file. */
export async function packProduct(runDir: string): Promise<string> {
  const prefix = join(runDir, 'prefix');
  await installPackages(prefix, [await packTarball(join(runDir, 'package'))]);
  return await makeDisk(prefix, join(runDir, 'product.img'), '1G');
}

/** Makes the package into a new directory; returns its file. */
export async function packTarball(target: string): Promise<string> {
  await mkdir(target);
  await run(['npm', 'pack', '--pack-destination', target], { cgroups: [], cwd: tree, timeoutMs });
  const tarball = (await readdir(target)).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new LabError('`npm pack` made no package.');
  return join(target, tarball);
}

/** Installs packages with npm below a new directory; `more` are further arguments of npm. */
export async function installPackages(
  prefix: string,
  names: readonly string[],
  more: readonly string[] = [],
): Promise<void> {
  await mkdir(prefix);
  const install = ['npm', 'install', '--global', '--prefix', prefix, ...quiet, ...more, ...names];
  await run(install, { cgroups: [], timeoutMs });
}

/** A disk with a directory's content; returns its file. */
export async function makeDisk(content: string, disk: string, size: string): Promise<string> {
  await run(['mke2fs', '-q', '-F', '-t', 'ext4', '-O', '^has_journal', '-m', '0', '-d', content, disk, size], {
    ...{ cgroups: [], timeoutMs },
  });
  return disk;
}
