import { InvalidArgumentError } from 'commander';
import { currentDirectory } from '../check-workdir.ts';
import type { ExplainOptions } from '../policy/explain-request.ts';
import { addRequestOptions } from './request-options.ts';
import type { Verb } from './verb.ts';

export const explain: Verb = {
  name: 'explain',
  takesCommand: true,
  description: 'show what the site allows of this request, by which rule, and the final container; starts nothing',
  define: (verb) => {
    addRequestOptions(verb)
      .option('--config <file>', 'policy to judge by (default: the one of this site)')
      .option('--hosts <n>', 'number of hosts (default: those of this job, else 1)', toHostCount)
      .option('--partition <name>', 'partition in which the job would run (default: that of this job)')
      .option('--queue <name>', 'the same, in the word of other schedulers')
      .option('--user <name>', 'user to judge for, by name or number; root only (default: you)')
      .option('--json', 'write verdict, rule, reason and the final container as one JSON object')
      .usage('[options] [-- command [argument…]]')
      .passThroughOptions()
      .allowExcessArguments();
  },
  run: async ({ called, command }) => {
    const { explainRequest, explanationJson, findImageHere, renderExplanation } =
      await import('../policy/policy-verbs.ts');
    const options = called.opts<ExplainOptions>();
    const explanation = await explainRequest(options, command, process.env, currentDirectory());
    const isForPrograms = options.json === true;
    // The helper knows the installed policy alone.
    const isInstalled = explanation.verdict === 'allowed' && options.config === undefined;
    const imageHere = isInstalled ? await findImageHere(explanation.wanted) : undefined;
    process.stdout.write(
      isForPrograms ? `${explanationJson(explanation, imageHere)}\n` : renderExplanation(explanation, imageHere),
    );
    if (explanation.verdict === 'refused') throw explanation.error;
    return 0;
  },
};

function toHostCount(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('A number from 1 is expected.');
  return Number(text);
}
