/** Is this machine fit to carry a lab? Installs the Debian packages that are missing, if it may. */
import { readFile } from 'node:fs/promises';
import { underLock } from './hold-lock.ts';
import { LabError } from './lab-error.ts';
import { packagesLockFile } from './layout.ts';
import { pathExists } from './path-exists.ts';
import { run } from './run-command.ts';

/** Each Debian package the lab needs, with a file that shows its presence. */
const requiredPackages: readonly (readonly [name: string, file: string])[] = [
  ['docker.io', '/usr/sbin/dockerd'],
  ['containerd', '/usr/bin/containerd'],
  ['tini', '/usr/bin/tini'],
  ['iptables', '/usr/sbin/iptables'],
  ['nftables', '/usr/sbin/nft'],
  ['iproute2', '/usr/sbin/bridge'],
  ['etcd-server', '/usr/bin/etcd'],
  ['etcd-client', '/usr/bin/etcdctl'],
  ['slurmctld', '/usr/sbin/slurmctld'],
  ['slurmd', '/usr/sbin/slurmd'],
  ['slurm-client', '/usr/bin/srun'],
  ['munge', '/usr/sbin/munged'],
  ['sudo', '/usr/bin/sudo'],
  ['mmdebstrap', '/usr/bin/mmdebstrap'],
  ['procps', '/usr/bin/ps'],
  // Only the tests need these.
  ['busybox-static', '/bin/busybox'],
  ['openssl', '/usr/bin/openssl'],
  ['openssh-client', '/usr/bin/ssh'],
  // An SSH server that no package starts on the machine itself.
  ['dropbear-bin', '/usr/sbin/dropbear'],
];
/** A package of its own from Debian 13 on; before, docker.io has it. */
const dockerClient = ['docker-cli', '/usr/bin/docker'] as const;
/** Their names, where a machine shall have all that a lab needs beforehand. */
export const labPackageNames: readonly string[] = requiredPackages.map(([name]) => name);
/** What `npm run test:machine` needs besides. */
export const machinePackages: typeof requiredPackages = [
  ['qemu-system-x86', '/usr/bin/qemu-system-x86_64'],
  ['e2fsprogs', '/usr/sbin/mke2fs'],
];
const installTimeoutMs = 600_000;
const policyFile = '/usr/sbin/policy-rc.d';

/** Refuses a machine on which a lab cannot work, and says why. */
export function checkMachine(): void {
  if (process.platform !== 'linux')
    throw new LabError(`The lab needs Linux namespaces and cgroups; this is ${process.platform}.`);
  if (process.getuid?.() !== 0)
    throw new LabError('The lab needs root: it makes namespaces, mounts and cgroups.', 'Run it with sudo.');
}

/** Installs the packages that are missing, `more` too; `mayInstall` false makes that an error that names them. */
export async function ensurePackages(
  mayInstall: boolean,
  controlCgroups: readonly string[],
  more: typeof requiredPackages = [],
): Promise<string> {
  const wanted = [...requiredPackages, ...more];
  if ((await listMissing(wanted)).length === 0) return 'all present';
  // Two labs that come up at once: the second finds what the first has installed.
  const lock = { file: packagesLockFile, guards: 'Installing Debian packages', waitMs: 2 * installTimeoutMs };
  return await underLock(lock, () => ensureUnderLock(mayInstall, controlCgroups, wanted));
}

async function listMissing(wanted: typeof requiredPackages): Promise<string[]> {
  const missing: string[] = [];
  for (const [name, file] of wanted) if (!(await pathExists(file))) missing.push(name);
  return missing;
}

async function ensureUnderLock(
  mayInstall: boolean,
  controlCgroups: readonly string[],
  wanted: typeof requiredPackages,
): Promise<string> {
  const missing = await listMissing(wanted);
  if (missing.length === 0) return 'all present';
  const command = `apt-get install ${missing.join(' ')}`;
  if (!mayInstall)
    throw new LabError(
      `Debian packages are missing: ${missing.join(', ')}.`,
      `Install them (${command}), or leave out --no-apt.`,
    );
  if (!(await pathExists('/usr/bin/apt-get'))) {
    throw new LabError(
      `Programs are missing, and there is no apt-get to install them: ${missing.join(', ')}.`,
      'The lab knows Debian and its kin only.',
    );
  }
  await installPackages(missing, controlCgroups);
  const [client] = await listMissing([dockerClient]);
  if (client !== undefined) await installPackages([client], controlCgroups);
  return `installed ${[...missing, client ?? []].flat().join(', ')}`;
}

async function installPackages(names: readonly string[], cgroups: readonly string[]): Promise<void> {
  const options = { cgroups, env: { DEBIAN_FRONTEND: 'noninteractive' }, timeoutMs: installTimeoutMs };
  const install = ['apt-get', 'install', '--yes', '--no-install-recommends', ...names];
  await warnOfStartingServices();
  try {
    await run(install, options);
  } catch {
    // The package lists may be missing or old; only then are they fetched.
    await run(['apt-get', 'update'], options);
    await run(install, options);
  }
}

/** Under systemd the packages would start their daemons on the machine itself; the machine's owner decides about that. */
async function warnOfStartingServices(): Promise<void> {
  const init = await readFile('/proc/1/comm', 'utf8').catch(() => '');
  if (init.trim() !== 'systemd' || (await pathExists(policyFile))) return;
  process.stderr.write(
    `note: the packages may start services on this machine; a ${policyFile} that exits with 101 keeps them from it.\n`,
  );
}
