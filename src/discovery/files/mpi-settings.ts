import { readFileSync } from 'node:fs';
import type { PrivateFiles } from './container-files.ts';

/**
 * Settings by which a plain `mpirun program` runs one rank per slot on all nodes. Both generations of Open MPI are set
 * at once, as each ignores the other's names.
 *
 * Without an interface (a job on one node) nothing is said about networks. Where ranks cannot read each other's memory,
 * Open MPI is told not to try: every rank would complain before it falls back.
 */
export function describeMpiSettings(
  files: PrivateFiles,
  interfaceName: string | undefined,
  canReadPeers = canReadPeerMemory(),
): Record<string, string> {
  return {
    ...describeOpenMpi4(files),
    ...describeOpenMpi5(files),
    ...describeHydra(files),
    ...(interfaceName === undefined ? {} : describeInterface(interfaceName)),
    ...(canReadPeers ? {} : withoutCrossMemory),
  };
}

/** The names of Open MPI 4 and 5 for the same. */
const withoutCrossMemory = { OMPI_MCA_btl_vader_single_copy_mechanism: 'none', OMPI_MCA_smsc: '^cma' };

/** From this on the Yama security module of the kernel asks for a capability. */
const scopeOfAdministrators = 2;

/** Whether a process may read the memory of another of the same user here. Open MPI itself does what Yama's scope 1 asks for. */
function canReadPeerMemory(): boolean {
  try {
    return Number(readFileSync('/proc/sys/kernel/yama/ptrace_scope', 'utf8')) < scopeOfAdministrators;
  } catch {
    return true; // a kernel without Yama
  }
}

function describeOpenMpi4(files: PrivateFiles): Record<string, string> {
  return {
    OMPI_MCA_plm: 'rsh',
    OMPI_MCA_plm_rsh_agent: files.sshShim,
    // A star from the master: exactly the links that have been tested.
    OMPI_MCA_plm_rsh_no_tree_spawn: '1',
    OMPI_MCA_orte_default_hostfile: files.hostfile,
    OMPI_MCA_orte_keep_fqdn_hostnames: '1',
  };
}

function describeOpenMpi5(files: PrivateFiles): Record<string, string> {
  return {
    PRTE_MCA_plm: 'ssh',
    PRTE_MCA_plm_ssh_agent: files.sshShim,
    PRTE_MCA_plm_ssh_no_tree_spawn: '1',
    PRTE_MCA_prte_default_hostfile: files.hostfile,
    PRTE_MCA_prte_keep_fqdn_hostnames: '1',
  };
}

/** MPICH and Intel MPI; `user` as resource manager means: look for none. */
function describeHydra(files: PrivateFiles): Record<string, string> {
  return {
    HYDRA_LAUNCHER: 'ssh',
    HYDRA_LAUNCHER_EXEC: files.sshShim,
    HYDRA_RMK: 'user',
    HYDRA_HOST_FILE: files.hydraHostfile,
    I_MPI_HYDRA_BOOTSTRAP: 'ssh',
    I_MPI_HYDRA_BOOTSTRAP_EXEC: files.sshShim,
    I_MPI_HYDRA_RMK: 'user',
    I_MPI_HYDRA_HOST_FILE: files.hydraHostfile,
  };
}

function describeInterface(name: string): Record<string, string> {
  return {
    OMPI_MCA_btl_tcp_if_include: name,
    OMPI_MCA_oob_tcp_if_include: name,
    PRTE_MCA_prte_if_include: name,
    HYDRA_IFACE: name,
    I_MPI_HYDRA_IFACE: name,
  };
}
