import type { SiteConfig } from '../../config/site-schema.ts';
import { readConfiguration } from '../../lsf/configuration/read-configuration.ts';
import type { LsfConfiguration } from '../../lsf/configuration/read-configuration.ts';
import { readSettings } from '../../slurm/read-settings.ts';
import type { Check } from '../../shared/finding.ts';
import { findProgram } from '../../shared/find-program.ts';
import type { SchedulerName } from '../../shared/schedulers.ts';
import { checkLsfCgroup } from './check-lsf-cgroup.ts';
import { checkLsfEsub } from './check-lsf-esub.ts';
import { checkLsfHookUser } from './check-lsf-hook-user.ts';
import { checkLsfHooks } from './check-lsf-hooks.ts';
import { checkLsfJobInfo } from './check-lsf-job-info.ts';
import { checkLsfStopTime } from './check-lsf-stop-time.ts';
import { checkSlurmCgroup } from './check-slurm-cgroup.ts';
import { checkSlurmEpilog } from './check-slurm-epilog.ts';
import { checkSlurmKillWait } from './check-slurm-kill-wait.ts';

/** What tells that a scheduler is on this host, and what its own settings must be. */
const byScheduler: Readonly<
  Partial<Record<SchedulerName, { readonly command: string; readonly list: (site: SiteConfig) => readonly Check[] }>>
> = {
  slurm: { command: 'squeue', list: listSlurmChecks },
  lsf: { command: 'bjobs', list: listLsfChecks },
};

/** Checks of the settings of one scheduler, or of all that the site uses and this host has. */
export function listSchedulerChecks(site: SiteConfig, asked: SchedulerName | undefined): readonly Check[] {
  const { kind, commandPath } = site.scheduler;
  return Object.entries(byScheduler)
    .filter(([name, { command }]) => {
      if (asked !== undefined) return name === asked;
      return (kind === 'auto' || kind === name) && findProgram(command, commandPath) !== undefined;
    })
    .flatMap(([, { list }]) => list(site));
}

function listSlurmChecks({ scheduler, deadlines }: SiteConfig): readonly Check[] {
  const read = once(async () => await readSettings(scheduler.commandPath));
  return [
    checkSlurmCgroup(read, scheduler.requireJobCgroup),
    checkSlurmEpilog(read),
    checkSlurmKillWait(read, deadlines.stopSeconds),
  ];
}

function listLsfChecks({ scheduler, deadlines, container, lsf, applications }: SiteConfig): readonly Check[] {
  const { confDirectory } = scheduler.lsf;
  const read: () => Promise<LsfConfiguration> = once(
    async () => await readConfiguration({ confDirectory, environment: process.env }),
  );
  const named = [...Object.keys(lsf.queues), ...Object.values(applications).map(({ lsf: rule }) => rule.queue)];
  const aliases = Object.keys(lsf.aliases);
  return [
    checkLsfCgroup(read, {
      isRequired: scheduler.requireJobCgroup,
      memoryPerSlotBytes: container.memoryPerSlotBytes,
    }),
    checkLsfHooks(read, {
      queues: [...new Set(named)].filter((name) => name !== ''),
      wantsStarter: aliases.length > 0 || Object.keys(lsf.queues).length > 0,
    }),
    checkLsfEsub(read, { aliases, hasRules: Object.values(applications).some(({ lsf: rule }) => hasRule(rule)) }),
    checkLsfStopTime(read, deadlines.stopSeconds),
    checkLsfHookUser(read),
    checkLsfJobInfo(read),
  ];
}

function hasRule({ queue, resReq, licenses, runLimitSeconds }: SiteConfig['applications'][string]['lsf']): boolean {
  return [queue, resReq, licenses].some((text) => text !== '') || runLimitSeconds > 0;
}

/** Several checks look at one answer. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return async () => await (answer ??= ask());
}
