import { dirname, resolve } from 'node:path';
import type { SiteConfig } from '../config/site-schema.ts';
import { gridEngineAuthority } from '../gridengine/gridengine-authority.ts';
import { gridEngineScheduler, isInGridEngineJob } from '../gridengine/gridengine-scheduler.ts';
import type { WantedOfLsf } from '../lsf/doctor/list-checks.ts';
import { lsfAuthority } from '../lsf/lsf-authority.ts';
import { isInLsfJob, lsfScheduler } from '../lsf/lsf-scheduler.ts';
import { pbsAuthority } from '../pbs/pbs-authority.ts';
import { isInPbsJob, pbsScheduler } from '../pbs/pbs-scheduler.ts';
import type { JobReach, Scheduler, SchedulerAuthority } from '../ports/scheduler.ts';
import type { Check } from '../contract/finding.ts';
import type { SchedulerName } from '../contract/schedulers.ts';
import { reachSlurmJob } from '../slurm/reach-job.ts';
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
  /**
   * How a running job is entered from a host that is not its own; undefined where the commands for that are not there. Missing
   * where the scheduler has no launcher for it.
   */
  reach?(commandPath: string, environment: NodeJS.ProcessEnv): JobReach | undefined;
  /** What root's side runs out of `scheduler.commandPath`; doctor knows the scheduler's hosts by the first. */
  readonly programs: readonly string[];
  /** Root's side. */
  authorize(settings: Settings): SchedulerAuthority;
  /** What doctor looks at in the scheduler's own settings. Loaded only when asked for. */
  readonly listChecks?: (site: SiteConfig) => Promise<readonly Check[]>;
}

/** Keeps signals that are meant for the job's command from what a launcher starts on a host; the same file everywhere. */
const onHostCommand = [resolve(dirname(process.argv[1] ?? ''), '../share/on-host')] as const;

const slurmKit = resolve(dirname(process.argv[1] ?? ''), '../share/slurm');

/** Every scheduler: besides its folder and its line in contract/schedulers.ts all that has to know of it. */
export const knownSchedulers: Readonly<Record<SchedulerName, KnownScheduler>> = {
  slurm: {
    variable: 'SLURM_JOB_ID',
    submit: 'sbatch script.sh',
    isInJob: isInSlurmJob,
    open: (commandPath) => slurmScheduler({ commandPath }),
    reach: (commandPath, environment) => reachSlurmJob(commandPath, environment),
    programs: ['squeue'],
    authorize: ({ commandPath }) => slurmAuthority({ commandPath }),
    listChecks: async ({ scheduler, deadlines }) => {
      const { listChecks } = await import('../slurm/doctor/list-checks.ts');
      return listChecks({ ...scheduler, ...deadlines, kit: slurmKit });
    },
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
        onHostCommand,
      });
    },
    programs: ['bjobs'],
    authorize: ({ commandPath, lsf }) => lsfAuthority({ commandPath, confDirectory: lsf.confDirectory }),
    listChecks: async (site) => {
      const { listChecks } = await import('../lsf/doctor/list-checks.ts');
      return listChecks(wantedOfLsf(site));
    },
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
    open: (commandPath) => pbsScheduler({ commandPath, onHostCommand }),
    programs: ['qstat'],
    authorize: ({ commandPath }) => pbsAuthority({ commandPath }),
  },
};

function wantedOfLsf({ scheduler, deadlines, container, lsf, applications }: SiteConfig): WantedOfLsf {
  const rules = Object.values(applications).map(({ lsf: rule }) => rule);
  const queuesWithImage = Object.keys(lsf.queues);
  const named = [...queuesWithImage, ...rules.map(({ queue }) => queue)].filter((name) => name !== '');
  return {
    ...{ ...scheduler, ...deadlines, ...container },
    confDirectory: scheduler.lsf.confDirectory,
    aliases: Object.keys(lsf.aliases),
    queues: [...new Set(named)],
    queuesWithImage,
    startsBeforeScript: lsf.start === 'prologue',
    hasSubmitRules: rules.some(
      ({ queue, resReq, licenses, runLimitSeconds }) =>
        [queue, resReq, licenses].some((text) => text !== '') || runLimitSeconds > 0,
    ),
  };
}
