import { Command } from 'commander';
import { usageLine } from '../values/usage-line.ts';
import { knownVerbs, verbGroups } from './verbs/known-verbs.ts';
import { refuseEmptyOptions } from './verbs/refuse-empty-options.ts';
import { refuseWords } from './verbs/refuse-words.ts';
import { run } from './verbs/run.ts';
import type { Verb, VerbCall } from './verbs/verb.ts';

const examples = `
Examples:
  The last lines of a batch script:
    export APPLICATION=openfoam:2.3.0
    export COMMAND="mpirun -hostfile system/machines simpleFoam -parallel"
    export JOBDIR=/scratch/case
    hpc-submit-dockerjob

  The same without exports:
    hpc-submit-dockerjob --image hpc/openfoam:2.3.0 --workdir /scratch/case -- mpirun simpleFoam -parallel

  What does the policy of the site say?
    hpc-submit-dockerjob explain --image hpc/openfoam:2.3.0 --hosts 4 -- mpirun simpleFoam -parallel

Exit status: the command's own; otherwise 64 usage, 65 image or command refused, 69 a service is away, 70 a bug,
75 temporary (safe to submit again), 77 refused by policy, 78 site.yaml invalid, 130/143 interrupted after clean-up.`;

/** What the program is made of; tests put their own in. */
export interface ProgramParts {
  readonly verbs: readonly Verb[];
  /** What it does without a verb. */
  readonly run: (call: VerbCall) => Promise<number>;
}

/** The command line. `command` is what stood after `--`; `finish` gets the exit status of the verb that ran. */
export function createProgram(
  command: readonly string[],
  finish: (status: number) => void,
  parts: ProgramParts = { verbs: knownVerbs, run: run.run },
): Command {
  const program = new Command('hpc-submit-dockerjob')
    .usage('[options] [-- command [argument…]]')
    .description(
      'Runs the command of a batch job in containers, one per host of the job, and ends with its exit status.',
    )
    .version(process.env['HPCDJ_VERSION'] ?? 'development')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(usageLine('hpc-submit-dockerjob', text)) })
    .addHelpText('after', examples)
    .enablePositionalOptions()
    .passThroughOptions()
    .helpCommand(true);
  run.define(program);
  program.action(async () => {
    refuseEmptyOptions(program);
    refuseWords(program, program.name());
    finish(await parts.run({ called: program, command, program }));
  });
  for (const verb of parts.verbs) {
    const words = verb.name.split(' ');
    const name = words.pop() ?? '';
    const called = (words[0] === undefined ? program : findGroup(program, words[0]))
      .command(name, { hidden: verb.isHidden === true })
      .description(verb.description);
    verb.define?.(called);
    called.action(async () => {
      refuseEmptyOptions(called);
      if (verb.takesCommand === true) refuseWords(called, `${program.name()} ${verb.name}`);
      finish(await verb.run({ called, command, program }));
    });
  }
  return program;
}

/** The verb below which others stand; made for the first of them. */
function findGroup(program: Command, name: string): Command {
  const found = program.commands.find((verb) => verb.name() === name);
  return found ?? program.command(name).description(verbGroups[name] ?? '');
}
