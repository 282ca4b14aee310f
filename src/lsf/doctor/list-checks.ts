import type { Check } from '../../contract/finding.ts';
import { skipped } from '../../contract/finding.ts';
import { once } from '../../values/once.ts';
import type { LsfConfiguration } from '../configuration/read-configuration.ts';
import { readConfiguration } from '../configuration/read-configuration.ts';
import { checkCgroup } from './check-cgroup.ts';
import { checkEsub } from './check-esub.ts';
import { checkHookUser } from './check-hook-user.ts';
import { checkHooks } from './check-hooks.ts';
import { checkJobInfo } from './check-job-info.ts';
import { checkStopTime } from './check-stop-time.ts';

/** What site.yaml says that LSF's own settings have to fit. */
export interface WantedOfLsf {
  /** Of lsf.conf; empty: where LSF itself would look. */
  readonly confDirectory: string;
  readonly requireJobCgroup: boolean;
  readonly memoryPerSlotBytes: number;
  readonly stopSeconds: number;
  /** Names that `bsub -a` takes for images. */
  readonly aliases: readonly string[];
  /** Queues that site.yaml names at all, and those whose jobs get an image unasked. */
  readonly queues: readonly string[];
  readonly queuesWithImage: readonly string[];
  /** `lsf.start: prologue`. */
  readonly startsBeforeScript: boolean;
  /** An application has a rule that the esub has to put into the submission. */
  readonly hasSubmitRules: boolean;
}

/** What doctor looks at in LSF's settings. */
export function listChecks(wanted: WantedOfLsf): readonly Check[] {
  const { confDirectory, aliases, queuesWithImage } = wanted;
  const read: () => Promise<LsfConfiguration> = once(
    async () => await readConfiguration({ confDirectory, environment: process.env }),
  );
  const [first, ...others] = [
    checkCgroup(read, { isRequired: wanted.requireJobCgroup, memoryPerSlotBytes: wanted.memoryPerSlotBytes }),
    checkHooks(read, {
      queues: wanted.queues,
      wantsStarter: aliases.length > 0 || queuesWithImage.length > 0,
      wantsPrologue: wanted.startsBeforeScript,
    }),
    checkEsub(read, { aliases, hasRules: wanted.hasSubmitRules }),
    checkStopTime(read, wanted.stopSeconds),
    checkHookUser(read),
    checkJobInfo(read),
  ] as const;
  return [first, ...others.map((check) => onceReadable(check, read))];
}

/** That LSF's files cannot be read is told once, by the first check. */
function onceReadable({ name, look }: Check, read: () => Promise<LsfConfiguration>): Check {
  return {
    name,
    look: async () => {
      const isReadable = await read().then(
        () => true,
        () => false,
      );
      return isReadable ? await look() : skipped("LSF's files cannot be read");
    },
  };
}
