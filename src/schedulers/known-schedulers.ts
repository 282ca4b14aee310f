import type { SiteConfig } from '../config/site-schema.ts';
import { gridEngineAuthority } from '../gridengine/gridengine-authority.ts';
import { gridEngineScheduler, isInGridEngineJob } from '../gridengine/gridengine-scheduler.ts';
import { lsfAuthority } from '../lsf/lsf-authority.ts';
import { isInLsfJob, lsfScheduler } from '../lsf/lsf-scheduler.ts';
import { pbsAuthority } from '../pbs/pbs-authority.ts';
import { isInPbsJob, pbsScheduler } from '../pbs/pbs-scheduler.ts';
import type { Scheduler, SchedulerAuthority } from '../ports/scheduler.ts';
import type { SchedulerName } from '../shared/schedulers.ts';
import { slurmAuthority } from '../slurm/slurm-authority.ts';
import { isInSlurmJob, slurmScheduler } from '../slurm/slurm-scheduler.ts';

type Settings = SiteConfig['scheduler'];

/** Both sides of a scheduler, made with what site.yaml says. */
export interface KnownScheduler {
  /** A variable that every job of it has, and how a job is handed in: for messages. */
  readonly variable: string;
  readonly submit: string;
  /** True when the environment says that a job of this scheduler is running. */
  isInJob(environment: NodeJS.ProcessEnv): boolean;
  /** The user's side; commands are looked for where the user's own are. */
  open(commandPath: string, readSettings: () => Promise<Settings>): Scheduler | Promise<Scheduler>;
  /** What root's side runs out of `scheduler.commandPath`. */
  readonly programs: readonly string[];
  /** Root's side. */
  authorize(settings: Settings): SchedulerAuthority;
}

/** Every scheduler: besides its folder and its line in shared/schedulers.ts all that has to know of it. */
export const knownSchedulers: Readonly<Record<SchedulerName, KnownScheduler>> = {
  slurm: {
    variable: 'SLURM_JOB_ID',
    submit: 'sbatch script.sh',
    isInJob: isInSlurmJob,
    open: (commandPath) => slurmScheduler({ commandPath }),
    programs: ['squeue'],
    authorize: ({ commandPath }) => slurmAuthority({ commandPath }),
  },
  lsf: {
    variable: 'LSB_JOBID',
    submit: 'bsub < script.sh',
    isInJob: isInLsfJob,
    open: async (commandPath, readSettings) => {
      const settings = await readSettings();
      return lsfScheduler({
        commandPath: `${commandPath}:${settings.commandPath}`,
        launcher: settings.lsf.launcher,
        spreadCommand: [process.execPath, ...process.execArgv, process.argv[1] ?? '', 'spread'],
      });
    },
    programs: ['bjobs'],
    authorize: ({ commandPath, lsf }) => lsfAuthority({ commandPath, confDirectory: lsf.confDirectory }),
  },
  gridengine: {
    variable: 'JOB_ID with SGE_TASK_ID',
    submit: 'qsub script.sh',
    isInJob: isInGridEngineJob,
    open: (commandPath) => gridEngineScheduler({ commandPath }),
    programs: ['qstat', 'qacct'],
    authorize: ({ commandPath, gridengine }) => gridEngineAuthority({ commandPath, ...gridengine }),
  },
  pbs: {
    variable: 'PBS_JOBID',
    submit: 'qsub script.sh',
    isInJob: isInPbsJob,
    open: (commandPath) => pbsScheduler({ commandPath }),
    programs: ['qstat'],
    authorize: ({ commandPath }) => pbsAuthority({ commandPath }),
  },
};
