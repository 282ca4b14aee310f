/** This tree's package, installed as the admin guide says, as a disk that guests mount at /opt/hpc-submit-dockerjob. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabError } from '../lab-error.ts';
import { run } from '../run-command.ts';

const tree = fileURLToPath(new URL('../..', import.meta.url));
const timeoutMs = 300_000;

/** Packs, installs below `runDir` and makes the disk there; returns its file. */
export async function packProduct(runDir: string): Promise<string> {
  const target = join(runDir, 'package');
  const prefix = join(runDir, 'prefix');
  await mkdir(target);
  await mkdir(prefix);
  await run(['npm', 'pack', '--pack-destination', target], { cgroups: [], cwd: tree, timeoutMs });
  const tarball = (await readdir(target)).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new LabError('`npm pack` made no package.');
  const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--prefer-offline'];
  const install = ['npm', 'install', '--global', '--prefix', prefix, ...quiet, join(target, tarball)];
  await run(install, { cgroups: [], timeoutMs });
  const disk = join(runDir, 'product.img');
  await run(['mke2fs', '-q', '-F', '-t', 'ext4', '-O', '^has_journal', '-m', '0', '-d', prefix, disk, '1G'], {
    ...{ cgroups: [], timeoutMs },
  });
  return disk;
}
