import type { SiteConfig } from '../config/site-schema.ts';
import type { JobCgroup, SchedulerAuthority } from '../ports/scheduler.ts';
import { knownSchedulers } from '../schedulers/known-schedulers.ts';
import { JobError } from '../values/errors.ts';
import { isSchedulerJobId, schedulerNames } from '../contract/schedulers.ts';
import type { JobKey } from '../contract/job-key.ts';
import type { SchedulerName } from '../contract/schedulers.ts';

/** The schedulers whose word counts on this host. */
export interface Authorities {
  /** The job of any of them that a process is in, out of its /proc/<pid>/cgroup. */
  findJobCgroup(procCgroupText: string): JobCgroup | undefined;
  /** See `SchedulerAuthority.nameCgroup`; asked of the scheduler that has found it. */
  nameCgroup(cgroup: JobCgroup, schedulerJobId: string): Promise<JobCgroup | undefined>;
  /** The one of this name. Fails with `NOT_PERMITTED` when the site does not use it, `SCHEDULER_UNREACHABLE` without its commands. */
  of(name: SchedulerName): SchedulerAuthority;
  /** See `SchedulerAuthority.isOver`; where the job's scheduler is not known, all that could have given the id must say so. */
  isOver(schedulerJobId: string, name: SchedulerName | undefined): Promise<boolean>;
  /** See `SchedulerAuthority.findOwner`; what every scheduler says that answers and could have such a job. */
  findOwners(job: JobKey): Promise<readonly number[]>;
  /** See `SchedulerAuthority.readSuspendedSeconds`; the most that any scheduler says which could have given the id. */
  readSuspendedSeconds(schedulerJobId: string): Promise<number>;
}

/** The programs by which the schedulers of the site are asked, as root. */
export function schedulerPrograms({ kind }: SiteConfig['scheduler']): readonly string[] {
  return allowedSchedulers(kind).flatMap((name) => knownSchedulers[name].programs);
}

function allowedSchedulers(kind: SiteConfig['scheduler']['kind']): readonly SchedulerName[] {
  return schedulerNames.filter((name) => kind === 'auto' || kind === name);
}

/** The schedulers of the site: the one that site.yaml names, else those whose commands this host has. */
export function findAuthorities(settings: SiteConfig['scheduler']): Authorities {
  const { kind, commandPath } = settings;
  const allowed = allowedSchedulers(kind);
  const of = (name: SchedulerName): SchedulerAuthority => {
    if (!allowed.includes(name)) {
      throw new JobError({
        code: 'NOT_PERMITTED',
        message: `Jobs of ${name} are not served here: site.yaml says scheduler.kind: ${kind}.`,
      });
    }
    const authority = knownSchedulers[name].authorize(settings);
    if (authority.isHere()) return authority;
    throw new JobError({
      code: 'SCHEDULER_UNREACHABLE',
      message: `The commands of ${name} are not in any of ${commandPath}.`,
      hint: 'Correct scheduler.commandPath in site.yaml, or install the client of the scheduler on this host.',
    });
  };
  const candidatesFor = (schedulerJobId: string): readonly SchedulerAuthority[] =>
    allowed
      .filter((each) => isSchedulerJobId(each, schedulerJobId))
      .map((each) => knownSchedulers[each].authorize(settings))
      .filter((authority) => authority.isHere());
  return {
    of,
    findJobCgroup: (text) =>
      allowed
        .map((name) => knownSchedulers[name].authorize(settings).findJobCgroup(text))
        .find((cgroup) => cgroup !== undefined),
    nameCgroup: async (cgroup, schedulerJobId) => {
      for (const name of allowed) {
        const authority = knownSchedulers[name].authorize(settings);
        if (authority.nameCgroup !== undefined) return await authority.nameCgroup(cgroup, schedulerJobId);
      }
      return undefined;
    },
    isOver: async (schedulerJobId, name) => {
      if (name !== undefined) return await of(name).isOver(schedulerJobId);
      const candidates = candidatesFor(schedulerJobId);
      // Nobody to ask is not a word: `of` says what is missing.
      if (candidates.length === 0) return await of(allowed[0] ?? schedulerNames[0]).isOver(schedulerJobId);
      const answers = await Promise.all(candidates.map(async (authority) => await authority.isOver(schedulerJobId)));
      return answers.every(Boolean);
    },
    findOwners: async (job) => {
      const here = allowed
        .map((name) => knownSchedulers[name].authorize(settings))
        .filter((authority) => authority.isHere());
      const owners = await Promise.all(here.map(async (each) => await each.findOwner(job).catch(() => undefined)));
      return owners.filter((owner) => owner !== undefined);
    },
    readSuspendedSeconds: async (schedulerJobId) => {
      const answers = await Promise.all(
        candidatesFor(schedulerJobId).map(async (each) => (await each.readSuspendedSeconds?.(schedulerJobId)) ?? 0),
      );
      return Math.max(0, ...answers);
    },
  };
}
