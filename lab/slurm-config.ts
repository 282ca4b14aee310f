/** Slurm's configuration files for a lab. Pure text. */
import type { LabLayout } from './layout.ts';

export const epilogFile = '/etc/slurm/epilog-hpc-dockerjob';

/** What one simulated node offers to Slurm. */
export interface NodeSize {
  readonly cpus: number;
  readonly memoryMb: number;
}

/** slurm.conf, its deadlines as many times longer as `patience` says: consumable cores and memory, processes tracked and limited by cgroup, an extern step on every node. */
export function renderSlurmConf(layout: LabLayout, size: NodeSize, patience = 1): string {
  const nodes = layout.nodes.map(
    ({ name, address }) =>
      `NodeName=${name} NodeAddr=${address} CPUs=${size.cpus} Sockets=1 CoresPerSocket=${size.cpus} ThreadsPerCore=1 RealMemory=${size.memoryMb} Gres=gpu:2 State=UNKNOWN`,
  );
  const seconds = (usual: number): number => Math.ceil(usual * patience);
  const settings = [
    `ClusterName=${layout.shape.name}`,
    `SlurmctldHost=${layout.head.name}(${layout.head.address})`,
    'SlurmUser=slurm',
    // Credentials are munge's too, by default; the key that says so has another name from Slurm 24.05 on.
    'AuthType=auth/munge',
    'MpiDefault=none',
    'StateSaveLocation=/var/spool/slurmctld',
    'SlurmdSpoolDir=/var/spool/slurmd',
    'SlurmctldPidFile=/run/slurmctld.pid',
    'SlurmdPidFile=/run/slurmd.pid',
    'ProctrackType=proctrack/cgroup',
    'TaskPlugin=task/affinity,task/cgroup',
    'JobAcctGatherType=jobacct_gather/cgroup',
    'JobAcctGatherFrequency=30',
    'PrologFlags=Contain',
    `Epilog=${epilogFile}`,
    'GresTypes=gpu',
    'SelectType=select/cons_tres',
    'SelectTypeParameters=CR_CPU_Memory',
    // Every node claims the same few cores of one machine, so what slurmd finds must not decide.
    'SlurmdParameters=config_overrides',
    'DefMemPerCPU=1024',
    `KillWait=${seconds(10)}`,
    `MessageTimeout=${Math.min(seconds(10), 100)}`,
    'MinJobAge=600',
    'ReturnToService=2',
    // Prompt for people and tests: Slurm's own pauses suit thousands of jobs.
    'SchedulerParameters=batch_sched_delay=0,sched_interval=5,sched_min_interval=0,bf_interval=5',
    `SlurmdTimeout=${seconds(30)}`,
    `UnkillableStepTimeout=${seconds(60)}`,
    'AccountingStorageType=accounting_storage/none',
  ];
  const partition = `PartitionName=lab Nodes=${layout.nodes.map(({ name }) => name).join(',')} Default=YES MaxTime=INFINITE State=UP`;
  return `${[...settings, ...nodes, partition].join('\n')}\n`;
}

/** gres.conf: GPUs by their files, which must be there; of harmless kinds, and a job gets none that it does not ask for. */
export function renderGresConf(): string {
  return 'Name=gpu File=/dev/zero\nName=gpu File=/dev/full\n';
}

/** cgroup.conf: a job gets its cores and its memory, and no more. With cgroup v2, slurmd makes its cgroups without systemd. */
export function renderCgroupConf(isUnified: boolean): string {
  const plugin = isUnified ? ['CgroupPlugin=cgroup/v2', 'IgnoreSystemd=yes'] : ['CgroupPlugin=cgroup/v1'];
  return [...plugin, 'ConstrainCores=yes', 'ConstrainRAMSpace=yes', ''].join('\n');
}
