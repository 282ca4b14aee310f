import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { JobError } from '../values/errors.ts';
import { findNearestName } from '../values/nearest-name.ts';
import type { SchedulerName } from '../contract/schedulers.ts';
import { schedulerNames } from '../contract/schedulers.ts';
import { usageLine } from '../values/usage-line.ts';
import { bashCompletion } from './complete-shell.ts';
import type { RequestOptions } from './read-request.ts';

/** Options of a run as commander hands them over. */
export interface RunOptions extends RequestOptions {
  readonly json?: string | boolean;
  readonly quiet?: boolean;
}

/** Options of `explain`. */
export interface ExplainOptions extends RequestOptions {
  readonly config?: string;
  readonly hosts?: number;
}

/** Options of `starter`: for jobs that name nothing themselves. */
export type StarterOptions = Pick<RequestOptions, 'application' | 'image'>;

/** Options of `doctor`. */
export interface DoctorOptions {
  readonly scheduler?: SchedulerName;
  readonly json?: boolean;
}

/** What the verbs do; each resolves to the exit status. */
export interface CliActions {
  run(options: RunOptions, command: readonly string[]): Promise<number>;
  explain(options: ExplainOptions, command: readonly string[]): Promise<number>;
  checkConfig(file: string): Promise<number>;
  doctor(options: DoctorOptions): Promise<number>;
  starter(options: StarterOptions, words: readonly string[]): Promise<number>;
  esub(alias: string | undefined): Promise<number>;
  preExec(options: StarterOptions): Promise<number>;
  prologue(options: StarterOptions): Promise<number>;
  hold(options: StarterOptions): Promise<number>;
  spread(ssh: string, hosts: readonly string[], argv: readonly string[]): Promise<number>;
}

const examples = `
Examples:
  The last lines of a batch script:
    export APPLICATION=openfoam:2.3.0
    export COMMAND="mpirun -hostfile system/machines simpleFoam -parallel"
    export JOBDIR=/scratch/case
    hpc-submit-dockerjob

  The same without exports:
    hpc-submit-dockerjob --image hpc/openfoam:2.3.0 --workdir /scratch/case -- mpirun simpleFoam -parallel

  What would the site say?
    hpc-submit-dockerjob explain --image hpc/openfoam:2.3.0 --hosts 4 -- mpirun simpleFoam -parallel

Exit status: the command's own; otherwise 64 usage, 65 image or command refused, 69 a service is away, 70 a bug,
75 temporary (safe to submit again), 77 refused by policy, 78 site.yaml invalid, 130/143 interrupted after clean-up.`;

/** The command line. `command` is what stood after `--`; `finish` gets the exit status of the verb that ran. */
export function createProgram(
  command: readonly string[],
  actions: CliActions,
  finish: (status: number) => void,
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
  addRequestOptions(program)
    .addOption(
      new Option(
        '--json [file]',
        'write the outcome as one JSON object: as the last line of standard output, or with --json=FILE to a file',
      ),
    )
    .option('--quiet', 'no progress lines on standard error')
    .allowExcessArguments()
    .action(async (options: RunOptions) => {
      refuseWords(program, 'hpc-submit-dockerjob');
      finish(await actions.run(options, command));
    });
  const explain = addRequestOptions(
    program
      .command('explain')
      .description('say what the site would make of this request, and by which rule; starts nothing'),
  );
  explain
    .option('--config <file>', 'policy to judge by (default: the one of this site)')
    .option('--hosts <n>', 'number of hosts (default: of the job we are in, else 1)', toHostCount)
    .usage('[options] [-- command [argument…]]')
    .passThroughOptions()
    .allowExcessArguments()
    .action(async (options: ExplainOptions) => {
      refuseWords(explain, 'hpc-submit-dockerjob explain');
      finish(await actions.explain(options, command));
    });
  program
    .command('config')
    .description('work with site.yaml')
    .command('check')
    .description('say all that is wrong with a site.yaml')
    .argument('<file>')
    .action(async (file: string) => finish(await actions.checkConfig(file)));
  addDoctor(program, actions, finish);
  program
    .command('starter')
    .description("LSF's job starter: runs the command of a job in the image of its alias or queue, else as it is")
    .option('--application <name:tag>', 'for jobs that name nothing themselves')
    .option('--image <reference>', 'for jobs that name nothing themselves')
    .argument('[command...]')
    .passThroughOptions()
    .action(async (words: string[], options: StarterOptions) => finish(await actions.starter(options, words)));
  program
    .command('esub', { hidden: true })
    .description('judge and change a submission to LSF; called by share/lsf/esub.hpcdocker')
    .option('--alias <name>', 'the name of bsub -a')
    .action(async (options: { alias?: string }) => finish(await actions.esub(options.alias)));
  program
    .command('pre-exec', { hidden: true })
    .description('judge host and job before LSF starts it; called by share/lsf/pre-exec')
    .option('--application <name:tag>', 'as of starter')
    .option('--image <reference>', 'as of starter')
    .action(async (options: StarterOptions) => finish(await actions.preExec(options)));
  for (const [name, description] of [
    ['prologue', "start a job's containers before its script; called by share/lsf/pre-exec --start"],
    ['hold', 'hold the containers of a job for its script; called by prologue'],
  ] as const) {
    program
      .command(name, { hidden: true })
      .description(description)
      .option('--application <name:tag>', 'as of starter')
      .option('--image <reference>', 'as of starter')
      .action(async (options: StarterOptions) => finish(await actions[name](options)));
  }
  program
    .command('spread', { hidden: true })
    .description('run the command after -- on every host by ssh')
    .argument('<ssh>')
    .argument('<hosts>', 'names with "," between them')
    .action(async (ssh: string, hosts: string) => finish(await actions.spread(ssh, hosts.split(','), command)));
  program
    .command('completion')
    .description('print a completion script for your shell: source <(hpc-submit-dockerjob completion bash)')
    .addArgument(new Argument('<shell>').choices(['bash']))
    .action(() => {
      program.configureOutput().writeOut?.(bashCompletion(program));
      finish(0);
    });
  return program;
}

function addDoctor(program: Command, actions: CliActions, finish: (status: number) => void): void {
  const doctor = program
    .command('doctor')
    .description('look whether all on this host is as jobs need it; changes nothing. Says most when run as root')
    .option('--json', 'write all findings as one JSON object');
  for (const name of schedulerNames)
    doctor.option(`--${name}`, `look at the settings of ${name} only (default: of what is here)`);
  doctor.action(async (options: { json?: boolean } & Partial<Record<SchedulerName, boolean>>) => {
    const [scheduler, another] = schedulerNames.filter((name) => options[name] === true);
    if (another !== undefined) {
      throw new JobError({
        code: 'USAGE',
        message: `Both --${scheduler ?? ''} and --${another} were given.`,
        hint: 'Give one of them, or none to look at all that is here.',
      });
    }
    const json = options.json === true ? { json: true } : {};
    finish(await actions.doctor({ ...json, ...(scheduler === undefined ? {} : { scheduler }) }));
  });
}

/** Words where none are expected: most often the command without its `--`. Fails with `USAGE`. */
function refuseWords(called: Command, call: string): void {
  const [word] = called.args;
  if (word === undefined) return;
  const verb = findNearestName(
    word,
    called.commands.map((known) => known.name()),
  );
  throw new JobError({
    code: 'USAGE',
    message: `"${word.slice(0, 60)}" is neither an option nor a verb.`,
    hint:
      verb === undefined
        ? `The command stands after --, like this: ${call} --image app:1 -- mpirun my-solver.`
        : `Did you mean "${verb}"? A command stands after --.`,
  });
}

function toHostCount(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('A number from 1 is expected.');
  return Number(text);
}

function addRequestOptions(command: Command): Command {
  const collect = (value: string, previous: readonly string[] | undefined): string[] => [...(previous ?? []), value];
  return command
    .option('--application <name:tag>', "application of the site's catalogue (default: $APPLICATION)")
    .option('--image <reference>', 'image, where the site allows it')
    .option(
      '--workdir <directory>',
      'directory on the cluster file system in which the command runs (default: $JOBDIR, else the current one)',
    )
    .option('--env <name[=value]>', 'set a variable for the command; may be repeated', collect)
    .option('--mount <directory>', 'ask for one of the mounts that the site allows; may be repeated', collect);
}
