import { describe, expect, test } from 'vitest';
import { buildJobEnvironment } from '../../../src/discovery/files/build-job-environment.ts';
import type { EnvironmentFacts, Welcome } from '../../../src/discovery/files/build-job-environment.ts';
import { listPrivateFiles } from '../../../src/discovery/files/container-files.ts';
import type { JobKey } from '../../../src/contract/job-key.ts';

const key = `ssh-ed25519 ${'A'.repeat(68)}`;
const makeRoster = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    index,
    hostname: `772-node-${index}`,
    ip: `10.1.0.${index + 1}`,
    slots: 4,
    sshPublicKey: key,
    hostPublicKey: key,
  }));

function build(
  change: Partial<Welcome> = {},
  inherited: NodeJS.ProcessEnv = {},
  nodeCount = 2,
): Record<string, string> {
  const welcome: Welcome = {
    type: 'welcome',
    job: '772' as JobKey,
    index: 1,
    nodeCount,
    hostname: '772-node-1',
    ip: '10.1.0.2',
    interfaceName: 'hpc0',
    sshPort: 2222,
    command: { kind: 'argv', argv: ['true'] },
    workdir: '/work',
    home: '/',
    environment: {},
    umask: 0o022,
    input: false,
    discoverDeadlineMs: 1000,
    commandDeadlineMs: 0,
    stopGraceMs: 1000,
    ...change,
  };
  const facts: EnvironmentFacts = {
    inherited,
    welcome,
    roster: makeRoster(nodeCount),
    userName: 'ann',
    files: listPrivateFiles('/p'),
    privateDirectory: '/p',
  };
  return buildJobEnvironment(facts);
}

describe('buildJobEnvironment', () => {
  test.each([
    ...[
      'SLURM_JOB_ID',
      'SLURMD_NODENAME',
      'SRUN_DEBUG',
      'SBATCH_X',
      'SALLOC_X',
      'LSB_JOBID',
      'LSF_BINDIR',
      'LS_SUBCWD',
      'EGO_X',
    ],
    ...[
      'PBS_JOBID',
      'SGE_ROOT',
      'COBALT_X',
      'PALS_X',
      'FLUX_URI',
      'PMI_FD',
      'PMIX_RANK',
      'OMPI_COMM_WORLD_RANK',
      'I_MPI_HYDRA_X',
    ],
    ...['PE_HOSTFILE', 'JOB_ID', 'NSLOTS', 'NHOSTS', 'PE', 'ARC'],
  ])('removes %s, by which an MPI library would find a scheduler', (name) => {
    expect(build({}, { [name]: 'x' })).not.toHaveProperty(name);
  });

  test.each(['MY_JOB_ID', 'PETSC_DIR', 'ARCH', 'LSDIR', 'PEER', 'OMPI_MCA_mpi_yield_when_idle'])(
    'keeps %s of the image',
    (name) => {
      expect(build({}, { [name]: 'x' })).toHaveProperty(name, 'x');
    },
  );

  test('lets the user win over the image and over our settings', () => {
    const environment = { A: 'user', OMPI_MCA_plm_rsh_no_tree_spawn: '0', SLURM_CPU_BIND: 'asked for' };
    expect(build({ environment }, { A: 'image' })).toMatchObject(environment);
  });

  test.each([
    [{ PATH: '/opt/bin:/bin' }, {}, '/p/bin:/opt/bin:/bin'],
    [{ PATH: '/opt/bin' }, { PATH: '/mine' }, '/p/bin:/mine'],
    [{}, {}, '/p/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    [{ PATH: '' }, {}, '/p/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  ])('puts our ssh first in PATH: image %j, user %j', (inherited, environment, path) => {
    expect(build({ environment }, inherited)['PATH']).toBe(path);
  });

  test('says what the job is', () => {
    expect(build()).toMatchObject({
      USER: 'ann',
      LOGNAME: 'ann',
      HPCDJ_JOB_ID: '772',
      HPCDJ_NODE_COUNT: '2',
      HPCDJ_NODE_INDEX: '1',
      HPCDJ_SLOTS: '8',
      HPCDJ_HOSTFILE: '/p/hostfile',
      HPCDJ_HOSTFILE_HYDRA: '/p/hostfile.hydra',
    });
  });

  test.each([
    ['/', '/'],
    ['/no/such/home', '/p'],
  ])('takes the home %s as %s', (home, expected) => {
    expect(build({ home })['HOME']).toBe(expected);
  });

  test('names the interface to every launcher, but not for a job on one node', () => {
    const names = [
      'OMPI_MCA_btl_tcp_if_include',
      'OMPI_MCA_oob_tcp_if_include',
      'PRTE_MCA_prte_if_include',
      'HYDRA_IFACE',
      'I_MPI_HYDRA_IFACE',
    ];
    for (const name of names) {
      expect(build()).toHaveProperty(name, 'hpc0');
      expect(build({}, {}, 1)).not.toHaveProperty(name);
    }
  });

  test('names no interface to an Open MPI that was told which ones to avoid', () => {
    const built = build({ environment: { OMPI_MCA_btl_tcp_if_exclude: 'lo' } });
    expect(built).not.toHaveProperty('OMPI_MCA_btl_tcp_if_include');
    expect(built).toHaveProperty('OMPI_MCA_oob_tcp_if_include', 'hpc0');
  });
});
