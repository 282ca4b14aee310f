/** Installs the package of this tree in the lab, as an admin would on a shared file system, and sets up each host. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { RunningHost } from './boot-hosts.ts';
import { runOnHost } from './enter-host.ts';
import { LabError } from './lab-error.ts';
import { productRoot, sharedPaths } from './layout.ts';
import type { LabLayout } from './layout.ts';
import { pathExists } from './path-exists.ts';
import { readPatience } from './patience.ts';
import { configDir, binaryDir } from './lsf/lsf-files.ts';
import { findContainerLimits } from './read-limits.ts';
import type { ContainerLimits } from './read-limits.ts';
import { run } from './run-command.ts';
import { epilogFile } from './slurm-config.ts';
import { writeHostFile } from './write-host-files.ts';

const tree = fileURLToPath(new URL('..', import.meta.url));
const packageName = 'hpc-submit-dockerjob';
const buildTimeoutMs = 180_000;
const installedMark = '.installed-package';
const sitePath = '/etc/hpc-submit-dockerjob/site.yaml';
const memoryPerSlotBytes = 1024 ** 3;

/** Packs this tree and installs the tarball for all hosts; skips the installation when that very package is installed. */
export async function installPackage(layout: LabLayout, cgroups: readonly string[]): Promise<string> {
  const { product } = sharedPaths(layout);
  const tarball = await packTree(layout, cgroups);
  const digest = await digestOf(tarball, cgroups);
  const installed = await readFile(join(product, installedMark), 'utf8').catch(() => '');
  if (installed === digest) return 'the same package is installed';
  await mkdir(product, { recursive: true });
  await rm(join(product, installedMark), { force: true });
  const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--prefer-offline'];
  await run(['npm', 'install', '--global', '--prefix', product, ...quiet, tarball], {
    cgroups,
    timeoutMs: buildTimeoutMs,
  });
  await writeFile(join(product, installedMark), digest);
  return 'installed';
}

/** Digest of what is in the package; V8's cached data differs from build to build of the same sources and does not count. */
async function digestOf(tarball: string, cgroups: readonly string[]): Promise<string> {
  const argv = ['tar', '--extract', '--gzip', '--to-stdout', '--exclude=*.cache', '--file', tarball];
  const content = await run(argv, { cgroups });
  return createHash('sha256').update(content).digest('hex');
}

/** Packs the tree (its prepack script builds it first); returns the tarball's path. */
async function packTree(layout: LabLayout, cgroups: readonly string[]): Promise<string> {
  const target = `${layout.stateDir}/package`;
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  if (!(await pathExists(join(tree, 'scripts/run')))) {
    throw new LabError(
      'This tree cannot be built: scripts/run is missing.',
      'Use --no-install for a lab without the product.',
    );
  }
  await run(['npm', 'pack', '--pack-destination', target], { cgroups, cwd: tree, timeoutMs: buildTimeoutMs });
  const tarball = (await readdir(target)).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new LabError('`npm pack` made no package.');
  return join(target, tarball);
}

/** Runs the product's own set-up in a host, then puts the lab's site policy and epilog in place. */
export async function setUpProduct(layout: LabLayout, host: RunningHost): Promise<string> {
  const { product } = sharedPaths(layout);
  const hasSetup = await pathExists(join(product, 'bin/hpc-dockerjob-setup'));
  if (hasSetup)
    await runOnHost(host, [`${productRoot}/bin/hpc-dockerjob-setup`, '--unattended'], { timeoutMs: 60_000 });
  await writeSite(layout, host);
  const epilog = join(product, 'lib/node_modules', packageName, 'share/slurm/epilog');
  if (await pathExists(epilog)) await writeHostFile(host, epilogFile, await readFile(epilog), { mode: 0o755 });
  return hasSetup ? '' : 'the package has no set-up program yet';
}

/** Writes the lab's site policy on a host. */
export async function writeSite(layout: LabLayout, host: RunningHost): Promise<void> {
  await writeHostFile(host, sitePath, renderSite(layout, await readContainerLimits(), readPatience()));
}

async function readContainerLimits(): Promise<ContainerLimits> {
  return findContainerLimits(await readFile('/proc/self/status', 'utf8'), await readFile('/proc/self/limits', 'utf8'));
}

/** The lab's site policy, in the shape of etc/site.yaml, its deadlines as many times longer as `patience` says. */
export function renderSite(layout: LabLayout, limits: ContainerLimits, patience = 1): string {
  const patient = patience > 1 ? renderDeadlines(patience) : { etcd: {} };
  return stringify({
    version: 1,
    site: { name: layout.shape.name },
    // Grid Engine has no cgroups; Slurm's are used all the same.
    ...(layout.shape.gridEngine === true ? { scheduler: { requireJobCgroup: false } } : {}),
    ...patient,
    etcd: { ...patient.etcd, endpoints: layout.etcdMembers.map(({ clientUrl }) => clientUrl) },
    images: { allowed: ['lab/*', 'hpc/*'] },
    applications: {
      'openfoam:2.3.0': {
        image: 'lab/openfoam:1912',
        description: 'OpenFOAM of the reference slides, as Debian packages it',
        hostfile: 'system/machines',
        // MPI ranks busy-wait: on cores shared by all hosts a run would take minutes instead of seconds.
        environment: { WM_PROJECT_DIR: '/usr/share/openfoam', OMPI_MCA_mpi_yield_when_idle: '1' },
      },
    },
    mounts: { allowed: [{ source: '/scratch', always: true }, { source: '/home' }] },
    ...(layout.shape.lsf === undefined ? {} : { scheduler: lsfScheduler }),
    container: { ...limits, ...(layout.shape.lsf === undefined ? {} : { memoryPerSlotBytes }) },
  });
}

/** The deadlines of a site that says nothing, so many times longer, up to what the product takes. */
function renderDeadlines(patience: number) {
  const times = (usual: number, most: number): number => Math.min(Math.ceil(usual * patience), most);
  return {
    etcd: { callTimeoutMs: times(2000, 30_000), leaseTtlSeconds: times(20, 3600) },
    docker: { callTimeoutMs: times(30_000, 600_000) },
    deadlines: {
      openSeconds: times(20, 3600),
      startSeconds: times(60, 3600),
      discoverSeconds: times(60, 3600),
      releaseSeconds: times(30, 700),
    },
  };
}

/** Slurm and the stand-in both count their jobs from 1, and would meet in the store: so only one of them is served. */
const lsfScheduler = {
  kind: 'lsf',
  commandPath: `${binaryDir}:/usr/bin:/bin:/usr/sbin:/sbin`,
  requireJobCgroup: false,
  lsf: { confDirectory: configDir },
};
