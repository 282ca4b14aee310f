import type { StarterOptions } from '../../verbs/request-options.ts';
import { addStarterOptions } from '../../verbs/request-options.ts';
import type { Verb } from '../../verbs/verb.ts';
import { sayToUser } from './say-to-user.ts';

export const prologue: Verb = {
  name: 'prologue',
  description: "start a job's containers before its script; called by share/lsf/pre-exec --start",
  isHidden: true,
  define: (verb) => void addStarterOptions(verb),
  run: async ({ called }) => {
    const options = called.opts<StarterOptions>();
    const { application, image } = options;
    const { runPrologue } = await import('../prologue/run-prologue.ts');
    return await runPrologue({
      options,
      environment: process.env,
      uid: process.getuid?.() ?? -1,
      holdCommand: [
        process.execPath,
        ...[...process.execArgv, process.argv[1] ?? '', 'hold'],
        ...(application === undefined ? [] : ['--application', application]),
        ...(image === undefined ? [] : ['--image', image]),
      ],
      say: sayToUser,
    });
  },
};
