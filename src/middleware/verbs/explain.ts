import { InvalidArgumentError } from 'commander';
import { currentDirectory } from '../check-workdir.ts';
import type { ExplainOptions } from '../explain-request.ts';
import { addRequestOptions } from './request-options.ts';
import type { Verb } from './verb.ts';

export const explain: Verb = {
  name: 'explain',
  takesCommand: true,
  description: 'say what the site would make of this request, and by which rule; starts nothing',
  define: (verb) => {
    addRequestOptions(verb)
      .option('--config <file>', 'policy to judge by (default: the one of this site)')
      .option('--hosts <n>', 'number of hosts (default: of the job we are in, else 1)', toHostCount)
      .usage('[options] [-- command [argument…]]')
      .passThroughOptions()
      .allowExcessArguments();
  },
  run: async ({ called, command }) => {
    const { explainRequest } = await import('../explain-request.ts');
    const options = called.opts<ExplainOptions>();
    process.stdout.write(await explainRequest(options, command, process.env, currentDirectory(), countHosts));
    return 0;
  },
};

function toHostCount(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('A number from 1 is expected.');
  return Number(text);
}

/** Of the job that we are in; 1 outside of one. */
async function countHosts(): Promise<number> {
  try {
    const { findScheduler } = await import('../../schedulers/find-scheduler.ts');
    return (await findScheduler(process.env)).readAllocation(process.env).hosts.length;
  } catch {
    return 1;
  }
}
