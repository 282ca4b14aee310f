import path from 'node:path';
import { containerPaths, runtimeOptions } from '../../contract/container-paths.ts';

/** Where the agent keeps its files, and how its programs are started. Tests give other places. */
export interface AgentPlaces {
  /** The helper's Unix socket. */
  readonly helperSocket: string;
  /** Named pipe of the command's standard input. */
  readonly inputPipe: string;
  /** Directory of the user, mode 0700, in memory. */
  readonly privateDirectory: string;
  /** Program and first arguments that start the ssh client. */
  readonly sshClientArgv: readonly string[];
}

const loaderNames: Partial<Record<NodeJS.Architecture, string>> = {
  x64: 'ld-linux-x86-64.so.2',
  arm64: 'ld-linux-aarch64.so.1',
};

/** The places inside a real container. */
export function describeContainerPlaces(): AgentPlaces {
  const { runtime } = containerPaths;
  const loader = loaderNames[process.arch] ?? 'ld.so';
  return {
    helperSocket: containerPaths.socket,
    inputPipe: containerPaths.input,
    privateDirectory: containerPaths.private,
    // By the runtime's own loader and libraries: the image's may be older, musl, or absent.
    sshClientArgv: [
      `${runtime}/lib/${loader}`,
      '--library-path',
      `${runtime}/lib`,
      `${runtime}/bin/node`,
      ...runtimeOptions,
      `${runtime}/ssh-client.cjs`,
    ],
  };
}

/** The agent's files by purpose. */
export function listPrivateFiles(directory: string) {
  const inDirectory = (...parts: readonly string[]): string => path.join(directory, ...parts);
  return {
    shimDirectory: inDirectory('bin'),
    sshShim: inDirectory('bin', 'ssh'),
    rshShim: inDirectory('bin', 'rsh'),
    relaySocket: inDirectory('relay.sock'),
    sshDirectory: inDirectory('ssh'),
    sshConfig: inDirectory('ssh', 'config'),
    knownHosts: inDirectory('ssh', 'known_hosts'),
    privateKey: inDirectory('ssh', 'id_ed25519'),
    hostfile: inDirectory('hostfile'),
    hydraHostfile: inDirectory('hostfile.hydra'),
    /** For those who enter the container while the command runs. */
    surroundings: inDirectory('surroundings.json'),
  } as const;
}
export type PrivateFiles = ReturnType<typeof listPrivateFiles>;
