import { currentDirectory } from '../../check-workdir.ts';
import type { SlurmSubmission } from '../../../slurm/submit/submission.ts';
import type { Verb } from '../../verbs/verb.ts';

interface CliFilterOptions extends Omit<SlurmSubmission, 'words' | 'component' | 'kind'> {
  readonly kind?: string;
  readonly chdir?: string;
  readonly component?: string;
  readonly uid?: string;
  readonly gid?: string;
}

export const cliFilter: Verb = {
  name: 'cli-filter',
  description: 'judge a submission to Slurm; called by share/slurm/cli_filter.lua',
  isHidden: true,
  define: (verb) => {
    verb
      .option('--kind <name>', 'sbatch, srun or salloc')
      .option('--export <list>', 'of the submission, as all that follow')
      .option('--export-file <file>')
      .option('--chdir <directory>')
      .option('--nodes <count>')
      .option('--tasks <count>')
      .option('--partition <name>')
      .option('--component <number>')
      .option('--uid <number>')
      .option('--gid <number>')
      .option('--wrap <text>')
      .option('--waits');
  },
  // The verdict is a word on standard output: whoever started us may be told no status.
  run: async ({ called, command, program }) => {
    const { judgeSubmission } = await import('../../policy/policy-verbs.ts');
    const options = called.opts<CliFilterOptions>();
    const own = process.getuid?.() ?? -1;
    const uid = toNumber(options.uid) ?? own;
    const gid = toNumber(options.gid) ?? process.getgid?.();
    const result = await judgeSubmission({
      submission: toSubmission(options, command),
      environment: process.env,
      cwd: options.chdir ?? currentDirectory(),
      uid,
      // Of a user for whom root submits it is root's own, unless root has named one.
      gid: uid !== own && gid === 0 ? undefined : gid,
      verbs: program.commands.map((verb) => verb.name()),
    });
    const { verdict } = result;
    if (verdict === 'refused') process.stderr.write(`hpc-submit-dockerjob: ${result.error.toLine()}\n`);
    else if (result.note !== undefined) process.stderr.write(`hpc-submit-dockerjob: note: ${result.note}\n`);
    process.stdout.write(`${verdict}\n`);
    return 0;
  },
};

function toSubmission({ kind, component, ...options }: CliFilterOptions, words: readonly string[]): SlurmSubmission {
  return {
    ...options,
    kind: kind === 'srun' || kind === 'salloc' ? kind : 'sbatch',
    words,
    component: toNumber(component),
  };
}

function toNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}
