import type { SchedulerAuthority } from '../../ports/scheduler.ts';
import { JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';
import type { SchedulerName } from '../../contract/schedulers.ts';
import { schedulerNames } from '../../contract/schedulers.ts';
import type { Authorities } from '../find-authority.ts';

/** In the range of every scheduler, and higher than clusters count. */
const unknownJob = '67000000';

/** The scheduler answers root in the way in which the helper asks it, with nothing of a user's environment. */
export function checkScheduler(authorities: Pick<Authorities, 'of'>, asked: SchedulerName | undefined): Check {
  return {
    name: 'scheduler',
    look: async () => {
      const found = asked === undefined ? findHere(authorities) : [authorities.of(asked)];
      if (found.length === 0) throw noneHere();
      await Promise.all(found.map(async (authority) => await authority.isOver(unknownJob)));
      return fine(`${found.map(({ name }) => name).join(' and ')} answers root about jobs`);
    },
  };
}

function findHere(authorities: Pick<Authorities, 'of'>): readonly SchedulerAuthority[] {
  return schedulerNames.flatMap((name) => {
    try {
      return [authorities.of(name)];
    } catch {
      return []; // not of this site, or not on this host
    }
  });
}

function noneHere(): JobError {
  return new JobError({
    code: 'SCHEDULER_UNREACHABLE',
    message: 'The commands of no scheduler are in scheduler.commandPath on this host.',
    hint: 'Correct scheduler.commandPath in site.yaml, or install the client of the scheduler here.',
  });
}
