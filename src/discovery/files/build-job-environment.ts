import { constants, accessSync } from 'node:fs';
import type { HelperMessage, Roster } from '../../contract/agent-protocol.ts';
import type { PrivateFiles } from './container-files.ts';
import { describeMpiSettings } from './mpi-settings.ts';

export type Welcome = Extract<HelperMessage, { type: 'welcome' }>;

/**
 * What an MPI library would take as a sign of a scheduler, and would then call `srun` or `blaunch`, which are not in
 * the container. Names end in `*` for a whole family.
 */
const schedulerVariables = [
  ...['SLURM_*', 'SLURMD_*', 'SRUN_*', 'SBATCH_*', 'SALLOC_*', 'LSB_*', 'LSF_*', 'LS_*', 'EGO_*'],
  ...['PBS_*', 'SGE_*', 'COBALT_*', 'PALS_*', 'FLUX_*', 'PMI_*', 'PMIX_*', 'OMPI_COMM_*', 'I_MPI_HYDRA_*'],
  ...['PE_HOSTFILE', 'JOB_ID', 'NSLOTS', 'NHOSTS', 'PE', 'ARC'],
];
const schedulerVariable = new RegExp(`^(?:${schedulerVariables.map((name) => name.replace('*', '.*')).join('|')})$`);

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface EnvironmentFacts {
  /** The agent's own: the image's with ours. */
  readonly inherited: NodeJS.ProcessEnv;
  readonly welcome: Welcome;
  readonly roster: Roster;
  readonly userName: string;
  readonly files: PrivateFiles;
  readonly privateDirectory: string;
}

/**
 * The environment of the command and of every process that `ssh` starts, the same on all nodes but for the node's own
 * number. Later wins: the image's, ours, the user's (`welcome.environment`); only PATH always begins with our shims.
 */
export function buildJobEnvironment(facts: EnvironmentFacts): Record<string, string> {
  const { inherited, welcome, roster, userName, files } = facts;
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(inherited)) {
    if (value !== undefined && !schedulerVariable.test(name)) environment[name] = value;
  }
  const settings = describeMpiSettings(files, roster.length > 1 ? welcome.interfaceName : undefined);
  Object.assign(
    environment,
    { HOME: chooseHome(welcome.home, facts.privateDirectory), USER: userName, LOGNAME: userName },
    omitExcluded(settings, { ...environment, ...welcome.environment }),
    welcome.environment,
    {
      HPCDJ_JOB_ID: welcome.job,
      HPCDJ_NODE_COUNT: String(welcome.nodeCount),
      HPCDJ_NODE_INDEX: String(welcome.index),
      HPCDJ_SLOTS: String(roster.reduce((sum, peer) => sum + peer.slots, 0)),
      HPCDJ_HOSTFILE: files.hostfile,
      HPCDJ_HOSTFILE_HYDRA: files.hydraHostfile,
      HPCDJ_SSH_CONFIG: files.sshConfig,
    },
  );
  const imagePath = environment['PATH'] ?? '';
  environment['PATH'] = `${files.shimDirectory}:${imagePath === '' ? defaultPath : imagePath}`;
  return environment;
}

/** Adds what the user sets at the start; ours and the shims' place in PATH stay. */
export function addVariables(
  environment: Record<string, string>,
  added: Readonly<Record<string, string>>,
  { shimDirectory }: Pick<PrivateFiles, 'shimDirectory'>,
): void {
  for (const [name, value] of Object.entries(added)) {
    if (name.startsWith('HPCDJ_')) continue;
    environment[name] = name === 'PATH' ? `${shimDirectory}:${value === '' ? defaultPath : value}` : value;
  }
}

// Open MPI refuses to run with both: whoever excludes interfaces has decided.
function omitExcluded(
  settings: Record<string, string>,
  known: Readonly<Record<string, string>>,
): Record<string, string> {
  const isExcluded = (name: string): boolean => Object.hasOwn(known, name.replace(/_if_include$/, '_if_exclude'));
  return Object.fromEntries(
    Object.entries(settings).filter(([name]) => !name.endsWith('_if_include') || !isExcluded(name)),
  );
}

// A home that the site does not mount would make programs fail that want to write there.
function chooseHome(home: string, privateDirectory: string): string {
  try {
    accessSync(home, constants.X_OK);
    return home;
  } catch {
    return privateDirectory;
  }
}
