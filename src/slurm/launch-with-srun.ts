import type { Allocation, LaunchCommand } from '../ports/scheduler.ts';

/** Variables that are no request to srun: where the controller is, and which job this is. */
const keptVariables = ['SLURM_CONF', 'SLURM_CLUSTER_NAME', 'SLURM_JOB_ID', 'SLURM_JOBID', 'SLURM_JOB_NODELIST'];

/** Beside the batch script and any other step, with all that the job has there: Slurm would make it wait else. */
export const withoutRequests = [
  '--overlap',
  '--mem=0',
  '--cpu-bind=none',
  '--gres=none',
  '--mpi=none',
  // The submission directory need not exist on the other hosts.
  '--chdir=/',
  '--export=ALL',
  '--quiet',
] as const;

/**
 * The srun that runs `argv` once on every host of the job, or on the host that is named, whatever the job was submitted with.
 * Standard input is empty, output is passed on byte by byte; a task that fails does not end the others.
 */
export function launchWithSrun(
  srun: string,
  allocation: Allocation,
  argv: readonly string[],
  environment: NodeJS.ProcessEnv,
  host?: string,
): LaunchCommand {
  const count = host === undefined ? allocation.hosts.length : 1;
  const options = [
    // No list of hosts: a step on as many hosts as the job has is on all of them, and a long list may exceed an argument.
    `--jobid=${allocation.schedulerJobId}`,
    `--nodes=${count}`,
    `--ntasks=${count}`,
    '--ntasks-per-node=1',
    ...(host === undefined ? [] : [`--nodelist=${host}`]),
    ...withoutRequests,
    // One failed host is told through the store; its siblings must live to clean up.
    '--kill-on-bad-exit=0',
    '--wait=0',
    '--input=none',
    '--job-name=hpc-dockerjob',
  ];
  return {
    file: srun,
    argv: [...options, '--', ...outliveCommandSignals, ...argv],
    // Slurm would make the script's TMPDIR for the step, and say so in the job's output where it cannot.
    environment: { ...dropRequests(environment), TMPDIR: undefined },
    // It answers TERM by killing its step, in the middle of the clean-up: we end the job, and it ends with that.
    hasOwnGroup: true,
  };
}

/**
 * Signals to the steps of a job mean its command (`sbatch --signal`, `scancel`). Until sudo and the helper listen they would
 * end this host's task, and with it the job. Ignored signals stay ignored until then.
 */
const outliveCommandSignals = ['/bin/sh', '-c', `trap '' USR1 USR2; exec "$@"`, 'sh'];

/**
 * srun takes nearly every option from the environment, too, and sbatch exports many of the job's own
 * (SLURM_CPUS_PER_TASK, SLURM_MEM_PER_CPU, SLURM_DISTRIBUTION …): these are not meant for this step, and the list
 * grows with every release. So everything goes that is not known to be harmless.
 */
export function dropRequests(environment: NodeJS.ProcessEnv): Record<string, undefined> {
  const dropped = Object.keys(environment).filter(
    (name) => /^(?:SLURM|SRUN|SLURMD|PMI)_/.test(name) && !keptVariables.includes(name),
  );
  return Object.fromEntries(dropped.map((name) => [name, undefined]));
}
