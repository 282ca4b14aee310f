import { mkdir, writeFile } from 'node:fs/promises';
import type { Roster } from '../../contract/agent-protocol.ts';
import { shortHostname } from '../../contract/job-key.ts';
import type { PrivateFiles } from './container-files.ts';

/** Makes the directories and the `ssh` and `rsh` that stand first in PATH; they need /bin/sh of the image and nothing else. */
export async function writeShims(files: PrivateFiles, sshClientArgv: readonly string[]): Promise<void> {
  await mkdir(files.shimDirectory, { recursive: true, mode: 0o700 });
  await mkdir(files.sshDirectory, { recursive: true, mode: 0o700 });
  const argv = [...sshClientArgv, files.relaySocket].map(quoteForShell).join(' ');
  // What the user preloads into the application was built for the image's C library, not for the runtime's.
  const foreign =
    'LD_PRELOAD LD_AUDIT LD_DEBUG GLIBC_TUNABLES NODE_OPTIONS NODE_EXTRA_CA_CERTS NODE_V8_COVERAGE OPENSSL_CONF';
  const text = `#!/bin/sh\nunset ${foreign}\nexec ${argv} "$@"\n`;
  for (const shim of [files.sshShim, files.rshShim]) await writeFile(shim, text, { mode: 0o700 });
}

function quoteForShell(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

export interface SshFilesContent {
  readonly port: number;
  readonly userName: string;
  readonly privateKey: string;
}

/**
 * Writes key, known hosts and configuration for programs that bring an OpenSSH client of their own
 * (`/usr/bin/ssh -F $HPCDJ_SSH_CONFIG host`): as strict as the job's `ssh`.
 */
export async function writeSshFiles(files: PrivateFiles, roster: Roster, content: SshFilesContent): Promise<void> {
  await writeFile(files.privateKey, content.privateKey, { mode: 0o600 });
  await writeKnownHosts(files, roster, content.port);
  await writeFile(files.sshConfig, formatSshConfig(files, content), { mode: 0o600 });
}

/** Writes the nodes whose keys are known. */
export async function writeKnownHosts(files: PrivateFiles, roster: Roster, port: number): Promise<void> {
  await writeFile(files.knownHosts, formatKnownHosts(roster, port), { mode: 0o600 });
}

/** Every node whose key is known under its address and its names, with the job's port. */
export function formatKnownHosts(roster: Roster, port: number): string {
  const namesOf = ({ ip, hostname, index, host }: Roster[number]): string =>
    [ip, hostname, shortHostname(index), ...(host === undefined ? [] : [host])]
      .map((name) => `[${name}]:${port}`)
      .join(',');
  return roster
    .filter(({ hostPublicKey }) => hostPublicKey !== undefined)
    .map((peer) => `${namesOf(peer)} ${peer.hostPublicKey}\n`)
    .join('');
}

function formatSshConfig(files: PrivateFiles, { port, userName }: SshFilesContent): string {
  return `Host *
  Port ${port}
  User ${userName}
  IdentityFile ${files.privateKey}
  IdentitiesOnly yes
  PreferredAuthentications publickey
  BatchMode yes
  UserKnownHostsFile ${files.knownHosts}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  ConnectTimeout 10
  LogLevel ERROR
`;
}

/** Writes the host file in both dialects. */
export async function writeHostfiles(files: PrivateFiles, roster: Roster): Promise<void> {
  await writeFile(files.hostfile, formatHostfile(roster), { mode: 0o600 });
  await writeFile(files.hydraHostfile, formatHydraHostfile(roster), { mode: 0o600 });
}

/** As Open MPI reads it. */
export function formatHostfile(roster: Roster): string {
  return roster.map((peer) => `${peer.hostname} slots=${peer.slots}\n`).join('');
}

/** As MPICH's and Intel MPI's Hydra read it. */
export function formatHydraHostfile(roster: Roster): string {
  return roster.map((peer) => `${peer.hostname}:${peer.slots}\n`).join('');
}
