import type { StarterOptions } from '../../verbs/request-options.ts';
import { addStarterOptions } from '../../verbs/request-options.ts';
import type { Verb } from '../../verbs/verb.ts';
import { sayToUser } from './say-to-user.ts';

export const preExec: Verb = {
  name: 'pre-exec',
  description: 'check the host and the job before LSF starts the job; called by share/lsf/pre-exec',
  isHidden: true,
  define: (verb) => void addStarterOptions(verb),
  run: async ({ called }) => {
    const { runPreExec } = await import('../run-pre-exec.ts');
    const { askHelper } = await import('../../doctor/ask-helper.ts');
    const { helperArgv } = await import('../../call-helper.ts');
    return await runPreExec({
      options: called.opts<StarterOptions>(),
      environment: process.env,
      askHost: async (question) => await askHelper(helperArgv('check-host'), question),
      say: sayToUser,
    });
  },
};
