import type { StarterOptions } from '../../verbs/request-options.ts';
import { addStarterOptions } from '../../verbs/request-options.ts';
import type { Verb } from '../../verbs/verb.ts';

export const hold: Verb = {
  name: 'hold',
  description: 'hold the containers of a job for its script; called by prologue',
  isHidden: true,
  define: (verb) => void addStarterOptions(verb),
  run: async ({ called }) => {
    const { findHeldImage } = await import('../prologue/run-prologue.ts');
    const { holdJob } = await import('../prologue/hold-job.ts');
    const { linkToPreExec } = await import('../prologue/holder-word.ts');
    const held = await findHeldImage({ options: called.opts<StarterOptions>(), environment: process.env });
    if (held === undefined) return 0;
    const { findScheduler } = await import('../../../schedulers/find-scheduler.ts');
    await holdJob({
      wanted: held.wanted,
      scheduler: await findScheduler(process.env),
      environment: process.env,
      uid: process.getuid?.() ?? -1,
      preExec: linkToPreExec(process.stdin, process.stdout),
    });
    return 0;
  },
};
