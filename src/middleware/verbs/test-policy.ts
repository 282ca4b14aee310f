import { exitStatus } from '../../values/errors.ts';
import type { Verb } from './verb.ts';

interface TestOptions {
  readonly site?: string;
  readonly json?: boolean;
}

export const testPolicy: Verb = {
  name: 'policy test',
  description: "check a site's own test cases against its policy; status 77 when one does not hold",
  define: (verb) =>
    void verb
      .argument('<file>')
      .option('--site <file>', 'policy to judge by (default: the one of this site)')
      .option('--json', 'write all cases with their verdicts as one JSON object'),
  run: async ({ called }) => {
    const { site, json } = called.opts<TestOptions>();
    const { renderTest, testJson, testPolicy: test } = await import('../policy/policy-verbs.ts');
    const result = await test(called.args[0] ?? '', site);
    process.stdout.write(json === true ? `${testJson(result)}\n` : renderTest(result));
    return result.tested.every(({ holds }) => holds) ? 0 : exitStatus.refusedByPolicy;
  },
};
