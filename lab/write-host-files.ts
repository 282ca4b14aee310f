/** Makes a running host a member of the lab: users, names, keys, and the configuration of its daemons. */
import { chmod, chown, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { dirname } from 'node:path';
import type { RunningHost } from './boot-hosts.ts';
import { pathInHost } from './enter-host.ts';
import { renderGroup, renderGshadow, renderHosts, renderPasswd, renderShadow } from './host-files.ts';
import { LabError } from './lab-error.ts';
import { labUsers, sharedGroup, sharedPaths } from './layout.ts';
import type { LabLayout } from './layout.ts';
import { certificateFiles } from './make-certificates.ts';
import { pathExists } from './path-exists.ts';
import { readPatience } from './patience.ts';
import { epilogFile, renderCgroupConf, renderGresConf, renderSlurmConf } from './slurm-config.ts';

export const tlsDir = '/etc/hpc-submit-dockerjob/tls';
const coresPerNode = 2;
const memoryShare = 0.75;
const maxNodeMemoryMb = 8192;
const noEpilog = '#!/bin/sh\n# The installed product brings no epilog.\nexit 0\n';

const dockerConfig = {
  'exec-opts': ['native.cgroupdriver=cgroupfs'],
  group: 'root',
  hosts: ['unix:///var/run/docker.sock'],
  'live-restore': true,
  'log-level': 'warn',
};

/** What `writeHostFile` may be told about a file besides its text. */
interface FileRights {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** Writes one file of a host with its rights, whatever they were before. */
export async function writeHostFile(
  host: RunningHost,
  path: string,
  text: string | Buffer,
  rights: FileRights = {},
): Promise<void> {
  const file = pathInHost(host, path);
  await mkdir(dirname(file), { recursive: true, mode: 0o755 });
  await writeFile(file, text, { mode: 0o600 });
  await chown(file, rights.uid ?? 0, rights.gid ?? 0);
  await chmod(file, rights.mode ?? 0o644);
}

/** Writes everything below /etc that the lab decides, for cgroup v2 alone or for v1; the same call repairs a running host. */
export async function writeHostFiles(layout: LabLayout, host: RunningHost, isUnified: boolean): Promise<void> {
  const passwd = renderPasswd(await readFile('/etc/passwd', 'utf8'));
  const group = renderGroup(await readFile('/etc/group', 'utf8'));
  const shadowGid = idOf(group, 'shadow');
  await writeHostFile(host, '/etc/passwd', passwd);
  await writeHostFile(host, '/etc/group', group);
  await writeHostFile(host, '/etc/shadow', renderShadow(passwd), { mode: 0o640, gid: shadowGid });
  await writeHostFile(host, '/etc/gshadow', renderGshadow(group), { mode: 0o640, gid: shadowGid });
  await writeHostFile(host, '/etc/hostname', `${host.name}\n`);
  await writeHostFile(host, '/etc/hosts', renderHosts(layout));
  await writeHostFile(host, '/etc/docker/daemon.json', JSON.stringify(dockerConfig, undefined, 2));
  await writeMungeFiles(layout, host, passwd, group);
  await writeSlurmFiles(layout, host, passwd, isUnified);
  await writeCertificates(layout, host);
}

/** Removes the machine's own sudo rules from a new host: what a lab user may do there, the product alone decides. */
export async function dropMachineSudoRules(host: RunningHost): Promise<void> {
  const directory = pathInHost(host, '/etc/sudoers.d');
  for (const name of await readdir(directory))
    if (name !== 'README') await rm(`${directory}/${name}`, { recursive: true });
}

async function writeMungeFiles(layout: LabLayout, host: RunningHost, passwd: string, group: string): Promise<void> {
  const owner = { uid: idOf(passwd, 'munge'), gid: idOf(group, 'munge') };
  await writeHostFile(host, '/etc/munge/munge.key', await readFile(`${sharedPaths(layout).secrets}/munge.key`), {
    mode: 0o400,
    ...owner,
  });
}

async function writeSlurmFiles(
  layout: LabLayout,
  host: RunningHost,
  passwd: string,
  isUnified: boolean,
): Promise<void> {
  await writeHostFile(host, '/etc/slurm/slurm.conf', renderSlurmConf(layout, nodeSize(layout), readPatience()));
  await writeHostFile(host, '/etc/slurm/cgroup.conf', renderCgroupConf(isUnified));
  await writeHostFile(host, '/etc/slurm/gres.conf', renderGresConf());
  if (!(await pathExists(pathInHost(host, epilogFile))))
    await writeHostFile(host, epilogFile, noEpilog, { mode: 0o755 });
  for (const [directory, owner] of [
    ['/var/spool/slurmctld', 'slurm'],
    ['/var/spool/slurmd', 'root'],
  ] as const) {
    const path = pathInHost(host, directory);
    await mkdir(path, { recursive: true, mode: 0o755 });
    await chown(path, idOf(passwd, owner), 0);
  }
}

async function writeCertificates(layout: LabLayout, host: RunningHost): Promise<void> {
  const { secrets } = sharedPaths(layout);
  const read = (file: string) => readFile(`${secrets}/${file}`);
  await writeHostFile(host, `${tlsDir}/ca.pem`, await read(certificateFiles.authority));
  await writeHostFile(host, `${tlsDir}/host.pem`, await read(certificateFiles.certificateOf(host.name)));
  await writeHostFile(host, `${tlsDir}/host-key.pem`, await read(certificateFiles.keyOf(host.name)), { mode: 0o600 });
}

function nodeSize(layout: LabLayout): { cpus: number; memoryMb: number } {
  const share = (totalmem() / 1_048_576) * (memoryShare / layout.nodes.length);
  return {
    cpus: Math.min(coresPerNode, availableParallelism()),
    memoryMb: Math.min(maxNodeMemoryMb, Math.floor(share)),
  };
}

/** The users' homes and their places on the cluster file system; kept over `down` and `up`. */
export async function prepareSharedDirectories(layout: LabLayout): Promise<void> {
  const { home, scratch } = sharedPaths(layout);
  for (const root of [home, scratch]) await makeDirectory(root, 0o755, 0, 0);
  for (const { name, uid } of labUsers) {
    await makeDirectory(`${home}/${name}`, 0o700, uid, uid);
    await makeDirectory(`${scratch}/${name}`, 0o755, uid, uid);
  }
  await makeDirectory(`${scratch}/${sharedGroup.name}`, 0o2770, 0, sharedGroup.gid);
}

async function makeDirectory(path: string, mode: number, uid: number, gid: number): Promise<void> {
  await mkdir(path, { recursive: true });
  await chown(path, uid, gid);
  await chmod(path, mode);
}

/** The numeric id of an account or group in the text of passwd or group. */
function idOf(text: string, name: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name}:`));
  if (line === undefined)
    throw new LabError(`The machine has no account "${name}".`, `Reinstall the Debian package that brings it.`);
  return Number(line.split(':')[2]);
}
