import { parseJobKey } from '../contract/job-key.ts';
import type { JobReach } from '../ports/scheduler.ts';
import { findProgram } from '../system/find-program.ts';
import { launchShell } from './launch-shell.ts';
import { findRunningJob } from './squeue-source.ts';

/** Running jobs of Slurm from any host that has squeue and srun; undefined where they are not. */
export function reachSlurmJob(commandPath: string, environment: NodeJS.ProcessEnv): JobReach | undefined {
  const [squeue, srun] = ['squeue', 'srun'].map((name) => findProgram(name, commandPath));
  if (squeue === undefined || srun === undefined) return undefined;
  const { SLURM_CONF: configuration } = environment;
  const own = process.getuid?.();
  const uid = own === 0 ? undefined : own;
  const kept: Record<string, string> = configuration === undefined ? {} : { SLURM_CONF: configuration };
  return {
    findJob: async (text) =>
      parseJobKey(text) === undefined ? undefined : await findRunningJob(squeue, text, { uid, environment: kept }),
    launchBeside: ({ schedulerJobId }, host, argv) => launchShell(srun, { schedulerJobId, host, argv, environment }),
  };
}
