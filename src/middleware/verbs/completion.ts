import { Argument } from 'commander';
import type { Verb } from './verb.ts';

export const completion: Verb = {
  name: 'completion',
  description: 'print a completion script for your shell: source <(hpc-submit-dockerjob completion bash)',
  define: (verb) => void verb.addArgument(new Argument('<shell>').choices(['bash'])),
  run: async ({ program }) => {
    const { bashCompletion } = await import('../complete-shell.ts');
    program.configureOutput().writeOut?.(bashCompletion(program));
    return 0;
  },
};
