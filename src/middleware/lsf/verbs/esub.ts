import type { Verb } from '../../verbs/verb.ts';
import { sayToUser } from './say-to-user.ts';

export const esub: Verb = {
  name: 'esub',
  description: 'judge and change a submission to LSF; called by share/lsf/esub.hpcdocker',
  isHidden: true,
  define: (verb) => void verb.option('--alias <name>', 'the name of bsub -a'),
  run: async ({ called, command }) => {
    const { runEsub } = await import('../run-esub.ts');
    const { alias } = called.opts<{ alias?: string }>();
    return await runEsub({ alias, words: command, environment: process.env, say: sayToUser });
  },
};
