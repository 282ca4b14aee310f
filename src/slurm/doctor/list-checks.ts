import type { Check } from '../../contract/finding.ts';
import { once } from '../../values/once.ts';
import { readSettings } from '../read-settings.ts';
import { checkCgroup } from './check-cgroup.ts';
import { checkCliFilter } from './check-cli-filter.ts';
import { checkEpilog } from './check-epilog.ts';
import { checkKillWait } from './check-kill-wait.ts';

/** What site.yaml says that Slurm's own settings have to fit. */
export interface WantedOfSlurm {
  readonly commandPath: string;
  readonly requireJobCgroup: boolean;
  readonly stopSeconds: number;
  /** This installation's share/slurm. */
  readonly kit: string;
}

/** What doctor looks at in Slurm's settings. */
export function listChecks({ commandPath, requireJobCgroup, stopSeconds, kit }: WantedOfSlurm): readonly Check[] {
  const read = once(async () => await readSettings(commandPath));
  return [
    checkCgroup(read, requireJobCgroup),
    checkEpilog(read, kit),
    checkKillWait(read, stopSeconds),
    checkCliFilter(read, kit),
  ];
}
