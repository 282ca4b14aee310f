import type { SiteConfig } from '../../config/site-schema.ts';
import type { Check } from '../../contract/finding.ts';
import { findProgram } from '../../system/find-program.ts';
import type { SchedulerName } from '../../contract/schedulers.ts';

/** What is known of a scheduler's own settings. */
export interface SchedulerChecks {
  /** The first of them is on every host of such a cluster. */
  readonly programs: readonly string[];
  /** Absent for a scheduler whose settings nobody looks at. */
  readonly listChecks?: (site: SiteConfig) => Promise<readonly Check[]>;
}

/** Checks of the settings of one scheduler, or of all that the site uses and this host has. */
export async function listSchedulerChecks(
  known: Readonly<Record<SchedulerName, SchedulerChecks>>,
  site: SiteConfig,
  asked: SchedulerName | undefined,
): Promise<readonly Check[]> {
  const { kind, commandPath } = site.scheduler;
  const isOfInterest = (name: string, [command = '']: readonly string[]): boolean => {
    if (asked !== undefined) return name === asked;
    return (kind === 'auto' || kind === name) && findProgram(command, commandPath) !== undefined;
  };
  const lists = Object.entries(known).map(async ([name, { programs, listChecks }]) =>
    listChecks !== undefined && isOfInterest(name, programs) ? await listChecks(site) : [],
  );
  return (await Promise.all(lists)).flat();
}
