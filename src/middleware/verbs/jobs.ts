import { InvalidArgumentError } from 'commander';
import { JobError } from '../../values/errors.ts';
import type { JobFilter } from '../jobs/show-jobs.ts';
import type { Verb } from './verb.ts';

interface JobsOptions extends JobFilter {
  readonly json?: boolean;
  readonly watch?: number | true;
}

const usualSeconds = 5;

export const jobs: Verb = {
  name: 'jobs',
  description:
    'list the jobs in containers that are open: those of several hosts on the whole cluster, those of one host on their own host. Users see their own jobs, root sees all',
  define: (verb) => {
    verb
      .option('--user <name>', 'only those of this user, by name or number')
      .option('--host <name>', 'only those with a node on this host')
      .option('--phase <name>', 'only those in this phase: starting, discovering, ready, running, suspended, ending')
      .option('--image <text>', 'only those whose image has this in its name')
      .option('--json', 'write all of it as one JSON object')
      .option(
        '--watch [seconds]',
        `show the list again every 5 seconds, or as often as you say, until Ctrl-C`,
        toSeconds,
      );
  },
  run: async ({ called }) => {
    const options = called.opts<JobsOptions>();
    refuseBoth(options);
    const { helperArgv } = await import('../call-helper.ts');
    const { askJobs } = await import('../jobs/ask-jobs.ts');
    const { jobsJson, renderJobs, selectJobs } = await import('../jobs/show-jobs.ts');
    const look = async (): Promise<string> => {
      const list = selectJobs(await askJobs(helperArgv('show-jobs')), options);
      return options.json === true ? `${jobsJson(list)}\n` : renderJobs(list);
    };
    if (options.watch !== undefined) {
      const { watchJobs } = await import('../jobs/watch-jobs.ts');
      const seconds = options.watch === true ? usualSeconds : options.watch;
      return await watchJobs(process.stdout, seconds * 1000, look);
    }
    process.stdout.write(await look());
    return 0;
  },
};

function refuseBoth({ json, watch }: JobsOptions): void {
  if (watch === undefined) return;
  if (json === true)
    throw new JobError({ code: 'USAGE', message: '--watch and --json were both given.', hint: 'Give one of them.' });
  if (process.stdout.isTTY) return;
  throw new JobError({
    code: 'USAGE',
    message: '--watch needs a terminal, and standard output is none.',
    hint: 'Leave --watch out, or call it with --json again and again.',
  });
}

/** Each look is a call of the helper, and a record of it. */
function toSeconds(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text) && Number(text) >= 2) return Number(text);
  throw new InvalidArgumentError('A number of seconds from 2 is expected.');
}
