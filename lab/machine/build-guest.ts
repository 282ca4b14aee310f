/** Builds the disk of a stock Debian guest into the lab's cache: once for each release and everything that goes into it. */
import { createHash } from 'node:crypto';
import { chmod, copyFile, cp, mkdir, readFile, readdir, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import {
  buildLock,
  ensureImage,
  findRecipe,
  listPackageSources,
  readAptTransport,
  readRelease,
} from '../build-images.ts';
import { underLock } from '../hold-lock.ts';
import { LabError } from '../lab-error.ts';
import { cacheDir, labUsers } from '../layout.ts';
import { pathExists } from '../path-exists.ts';
import { run as runProgram } from '../run-command.ts';
import { renderHosts, renderNetworkUnits } from './guest-files.ts';
import type { Release } from './releases.ts';

/** Raise it when the way of building changes. */
const buildVersion = 1;
const buildTimeoutMs = 900_000;
export const guestsDir = `${cacheDir}/guests`;
const diskSize = '6G';
/** Slow to start under emulation, or waiting for what a guest does not have; the tests start what they need. */
const notAtBoot = [
  ...['docker.service', 'docker.socket', 'containerd.service', 'etcd.service', 'slurmd.service', 'slurmctld.service'],
  ...['munge.service', 'apt-daily.timer', 'apt-daily-upgrade.timer', 'e2scrub_all.timer', 'e2scrub_reap.service'],
];
const leftOut = ['/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*', '/usr/share/doc/*'];
/** What the initial file system needs to find the disk. */
const bootModules = ['virtio_pci', 'virtio_blk', 'virtio_net', 'ext4'];

/** What a guest is started from. */
export interface GuestDisk {
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
  /** Lets this machine's root in, as the guest's root. */
  readonly privateKey: string;
  readonly isNew: boolean;
}

const run = async (argv: readonly string[], env: Record<string, string> = {}): Promise<string> =>
  await runProgram(argv, { cgroups: [], env, timeoutMs: buildTimeoutMs });

/** The disk of a release from the cache, built first if it is not there. */
export async function ensureGuestDisk(release: Release): Promise<GuestDisk> {
  const image = await ensureImage(findRecipe('tiny'), []);
  await mkdir(guestsDir, { recursive: true, mode: 0o700 });
  return await underLock(buildLock(cacheDir), async () => {
    const { codename, packages } = release;
    const files = [notAtBoot, renderNetworkUnits(), renderHosts()];
    const parts = JSON.stringify([buildVersion, codename, packages, files, image.id]);
    const hash = createHash('sha256').update(parts).digest('hex').slice(0, 16);
    const directory = join(guestsDir, `${release.name}-${hash}`);
    const isNew = !(await pathExists(directory));
    if (isNew) await buildGuest(release, image.archive, directory);
    return {
      ...{ disk: join(directory, 'disk.img'), kernel: join(directory, 'vmlinuz'), initrd: join(directory, 'initrd') },
      privateKey: await readFile(join(directory, 'key'), 'utf8'),
      isNew,
    };
  });
}

/** Builds in a directory of its own, which gets its final name once all is whole. */
async function buildGuest(release: Release, imageArchive: string, directory: string): Promise<void> {
  for (const name of await readdir(guestsDir))
    if (name.startsWith('partial-') || name.startsWith(`${release.name}-`))
      await rm(join(guestsDir, name), { recursive: true, force: true });
  const work = join(guestsDir, `partial-${release.name}`);
  const root = join(work, 'root');
  await mkdir(work, { mode: 0o700 });
  await bootstrap(release, work, root);
  await configure(root, imageArchive);
  const keys = ssh2.utils.generateKeyPairSync('ed25519');
  await mkdir(join(root, 'root/.ssh'), { recursive: true, mode: 0o700 });
  await writeFile(join(root, 'root/.ssh/authorized_keys'), `${keys.public}\n`, { mode: 0o600 });
  await writeFile(join(work, 'key'), keys.private, { mode: 0o600 });
  for (const [link, name] of [
    ['vmlinuz', 'vmlinuz'],
    ['initrd.img', 'initrd'],
  ] as const)
    await copyFile(await realpath(join(root, link)), join(work, name));
  await run(['mke2fs', '-q', '-F', '-t', 'ext4', '-O', '^has_journal', '-d', root, join(work, 'disk.img'), diskSize]);
  await rm(root, { recursive: true });
  await rename(work, directory);
}

/** The release's own packages, from where this machine has its own. */
async function bootstrap({ codename, packages }: Release, work: string, root: string): Promise<void> {
  const modules = join(work, 'initramfs');
  await mkdir(join(modules, 'conf.d'), { recursive: true });
  await writeFile(join(modules, 'modules'), `${bootModules.join('\n')}\n`);
  await writeFile(join(modules, 'conf.d/guest'), 'MODULES=list\n');
  const options = [
    ...['--mode=root', '--variant=minbase', '--format=directory', `--include=${packages.join(',')}`],
    ...leftOut.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    ...['--aptopt=Acquire::Languages "none"', ...(await readAptTransport([])).map((line) => `--aptopt=${line}`)],
    // Before the kernel's package makes the initial file system.
    ...[`--setup-hook=mkdir -p "$1/etc"`, `--setup-hook=cp -r ${modules} "$1/etc/initramfs-tools"`],
  ];
  const sources = await Promise.all(
    (await listPackageSources()).map(async (file, index) => {
      const text = (await readFile(file, 'utf8')).replaceAll(await readRelease(), codename);
      const own = join(work, `sources-${index}.${file.endsWith('.list') ? 'list' : 'sources'}`);
      await writeFile(own, text);
      return own;
    }),
  );
  await run(['mmdebstrap', ...options, '--', codename, root, ...sources], { TMPDIR: work });
}

/** Users, names, links and services; and the image that jobs use. */
async function configure(root: string, imageArchive: string): Promise<void> {
  for (const { name, uid } of labUsers)
    await run(['chroot', root, 'useradd', '--uid', String(uid), '--create-home', '--shell', '/bin/bash', name]);
  for (const [file, text] of renderNetworkUnits()) await writeFile(join(root, 'etc/systemd/network', file), text);
  await writeFile(join(root, 'etc/hosts'), renderHosts());
  await writeFile(join(root, 'etc/fstab'), '/dev/vda / ext4 defaults 0 0\n');
  // A new one for every guest.
  await writeFile(join(root, 'etc/machine-id'), '');
  await cp(imageArchive, join(root, 'opt/tiny.tar'));
  await chmod(join(root, 'opt/tiny.tar'), 0o644);
  const systemctl = async (...argv: readonly string[]): Promise<unknown> =>
    await run(['chroot', root, 'systemctl', ...argv]);
  for (const unit of notAtBoot) await systemctl('disable', unit).catch(ignoreUnknown);
  await systemctl('enable', 'systemd-networkd.service', 'ssh.service');
  await systemctl('mask', 'getty@tty1.service', 'systemd-networkd-wait-online.service');
}

/** Which of the units are there depends on the release. */
function ignoreUnknown(error: unknown): void {
  if (!(error instanceof LabError && error.message.includes('does not exist'))) throw error;
}
