import { currentDirectory } from '../../check-workdir.ts';
import { decideInput } from '../../decide-input.ts';
import { lookAtInput } from '../../look-at-input.ts';
import type { StarterOptions } from '../../verbs/request-options.ts';
import { addStarterOptions } from '../../verbs/request-options.ts';
import { runInContainers } from '../../verbs/run.ts';
import type { Verb } from '../../verbs/verb.ts';
import { sayToUser } from './say-to-user.ts';

export const starter: Verb = {
  name: 'starter',
  description:
    "LSF's job starter: run the command of a job in the image of its alias or queue, else without a container",
  define: (verb) => void addStarterOptions(verb).argument('[command...]').passThroughOptions(),
  run: async ({ called }) => {
    const { planStarter } = await import('../plan-starter.ts');
    const plan = await planStarter(called.opts<StarterOptions>(), called.args, process.env);
    if (plan.kind === 'container' && plan.note !== undefined)
      process.stderr.write(`hpc-submit-dockerjob: note: ${plan.note}\n`);
    const { runHeldJob } = await import('../prologue/run-held-job.ts');
    const { env: environment, stdout, stderr } = process;
    const status = await runHeldJob(plan, {
      environment,
      uid: process.getuid?.() ?? -1,
      cwd: currentDirectory,
      output: { stdout, stderr },
    });
    if (status !== undefined) {
      if (decideInput(undefined, lookAtInput(true)).isPassed)
        sayToUser('note: standard input was not read: the containers were started before the script');
      return status;
    }
    if (plan.kind === 'container') return await runInContainers(plan.options, plan.argv);
    const { runOnHost } = await import('../run-on-host.ts');
    return await runOnHost(plan.argv);
  },
};
