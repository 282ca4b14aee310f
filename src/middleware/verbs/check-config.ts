import { exitStatus } from '../../values/errors.ts';
import type { Verb } from './verb.ts';

export const checkConfig: Verb = {
  name: 'config check',
  description: 'list every fault of a site.yaml',
  define: (verb) => void verb.argument('<file>'),
  run: async ({ called: { args } }) => {
    const [file = ''] = args;
    const { checkConfigFile } = await import('../../config/check-config.ts');
    const problems = await checkConfigFile(file);
    if (problems.length === 0) {
      process.stdout.write(`${file}: valid\n`);
      return 0;
    }
    process.stderr.write(`${problems.join('\n')}\n`);
    return exitStatus.badConfig;
  },
};
