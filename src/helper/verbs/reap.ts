import { describeReaped } from '../release/report-release.ts';
import type { HelperVerb } from './helper-verb.ts';
import { complain, putOff, say, warn } from './say.ts';

export const reapVerb: HelperVerb = {
  name: 'reap',
  does: 'finish the release of every job that is over, here and in the store; for timers (root only)',
  words: [],
  options: {},
  run: async ({ openContext }) => {
    const { reapJobs } = await import('../release/reap-jobs.ts');
    const reaped = await reapJobs(await openContext());
    say(describeReaped(reaped));
    for (const note of reaped.notes) warn(note);
    for (const each of reaped.unfinished) putOff(each);
    complain(reaped.leftovers);
  },
};
