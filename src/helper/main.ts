import { Command, CommanderError, Option } from 'commander';
import { asJobError, exitStatus, JobError } from '../values/errors.ts';
import type { HelperEvent } from '../contract/helper-events.ts';
import { outliveReaders } from '../system/flush-output.ts';
import { requireJobKey } from '../contract/job-key.ts';
import { toJsonLine } from '../values/json-line.ts';
import { isAnySchedulerJobId } from '../contract/schedulers.ts';
import { usageLine } from '../values/usage-line.ts';
import { controlJob } from './control/control-job.ts';
import { findJobsHere } from './release/find-jobs-here.ts';
import { identifyCaller, readCallerFacts } from './caller/identify-caller.ts';
import type { HelperContext } from './open-context.ts';
import { openContext } from './open-context.ts';
import { openJob } from './keeper/open-job.ts';
import { refuseVerb } from './caller/refuse-verb.ts';
import { releaseJob } from './release/release-job.ts';
import { reapJobs } from './release/reap-jobs.ts';
import { releaseNode } from './release/release-node.ts';
import { describeJobRelease, describeNodeRelease, describeReaped } from './release/report-release.ts';
import { requireStream } from './caller/require-stream.ts';
import { runNode } from './node/run-node.ts';

/** The helper's verbs. No option of them widens what a caller may do. Resolves to the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  outliveReaders(process.stdout, process.stderr);
  // A scheduler that signals all processes of a job means its command; none of our own must end of it.
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => undefined);
  let opened: HelperContext | undefined;
  const context = async (): Promise<HelperContext> => {
    opened = await openContext(identifyCaller(readCallerFacts(process.env)));
    return opened;
  };
  const program = new Command('hpc-dockerjob-helper')
    .description(
      'Root side of hpc-submit-dockerjob: called by it through one sudo rule, and by root hooks of the scheduler.',
    )
    .version(process.env['HPCDJ_VERSION'] ?? 'development')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(usageLine('hpc-dockerjob-helper', text)) });
  program
    .command('open-job')
    .description(
      'check, claim and keep a job; the request comes on standard input, events go to standard output as JSON lines',
    )
    .action(async () => {
      const emit = (event: HelperEvent): void => void process.stdout.write(toJsonLine(event));
      try {
        requireStream(0);
        await openJob(await context(), process.stdin, emit);
      } catch (thrown) {
        const { code, message, hint, exitStatus: status } = describe(thrown);
        emit({ event: 'refused', code, message, ...(hint === undefined ? {} : { hint }), exitStatus: status });
        process.exitCode = status;
      }
    });
  program
    .command('run-node')
    .description("run this host's container of an open job until the job ends")
    .argument('<job>', 'job id, as 772 or 772_3')
    .argument('<launch>', 'id of the launch, as the middleware has made it')
    .action(async (job: string, launch: string) => await runNode(await context(), requireJobKey(job), launch));
  program
    .command('release-node')
    .description('remove what a job has on this host; for epilogs')
    .argument('[job]', 'job id, as 772 or 772_3')
    .addOption(new Option('--scheduler-job <id>', "the scheduler's own id, as an epilog knows it"))
    .action(async (job: string | undefined, options: { schedulerJob?: string }) => {
      const here = await context();
      const jobs =
        job === undefined ? await findJobsHere(here, requireSchedulerJob(options.schedulerJob)) : [requireJobKey(job)];
      if (jobs.length === 0) say([`job ${options.schedulerJob}: nothing of it to release on this host`]);
      for (const each of jobs) {
        const released = await releaseNode(here, each);
        const { leftovers, untold } = released;
        say(describeNodeRelease(each, released));
        complain(leftovers);
        if (untold !== undefined) warn(`this host is clean, but the store was not told: ${untold}. See: reap`);
      }
    });
  program
    .command('reap')
    .description('finish the release of every job that is over, here and in the store; for timers (root only)')
    .action(async () => {
      const reaped = await reapJobs(await context());
      say(describeReaped(reaped));
      for (const note of reaped.notes) warn(note);
      complain(reaped.leftovers);
    });
  program
    .command('release-job')
    .description('end a job on all its hosts and remove all of it')
    .argument('<job>', 'job id, as 772 or 772_3')
    .addOption(new Option('--force', 'remove keys and subnet although hosts did not report (root only)'))
    .action(async (text: string, options: { force?: boolean }) => {
      const job = requireJobKey(text);
      const released = await releaseJob(await context(), job, { isForced: options.force === true });
      say(describeJobRelease(job, released));
      complain(released.leftovers);
    });
  program
    .command('control-job')
    .description('suspend, resume or end a job on all its hosts, and wait until they have followed')
    .argument('<job>', 'job id, as 772 or 772_3')
    .argument('<action>', 'suspend, resume or stop')
    .action(async (job: string, action: string) =>
      say([await controlJob(await context(), requireJobKey(job), action)]),
    );
  program
    .command('check-host')
    .description('whether this host can serve jobs, as JSON lines; for doctor, pre-exec and prolog')
    .action(async () => {
      // Loaded only when asked for: every job's start waits for this program.
      const { checkHost, readHostQuestion } = await import('./host-checks/check-host.ts');
      const { statusOfFindings } = await import('../contract/finding.ts');
      requireStream(0);
      const here = await context();
      const findings = await checkHost(here, await readHostQuestion(process.stdin, here.caller.kind === 'root'));
      for (const finding of findings) process.stdout.write(toJsonLine(finding));
      process.exitCode = statusOfFindings(findings);
    });
  // Last: a verb would inherit that it takes any words.
  program
    .enablePositionalOptions()
    .passThroughOptions()
    .allowExcessArguments()
    .action(() => refuseVerb(program));
  try {
    await program.parseAsync(argv, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : exitStatus.usage;
    const error = describe(thrown);
    process.stderr.write(`hpc-dockerjob-helper: ${error.toLine()}\n`);
    return error.exitStatus;
  } finally {
    await opened?.audit.flush();
  }
}

/** What `await using` wraps is unwrapped: the first failure counts, a failed clean-up stands beside it. */
function describe(thrown: unknown): JobError {
  if (!(thrown instanceof SuppressedError)) return asJobError(thrown);
  const first = describe(thrown.suppressed);
  const { message } = asJobError(thrown.error);
  return new JobError({
    code: first.code,
    message: first.message,
    hint: `${first.hint ?? ''} (Clean-up failed too: ${message})`.trim(),
    cause: thrown,
  });
}

function requireSchedulerJob(id: string | undefined): string {
  if (id !== undefined && isAnySchedulerJobId(id)) return id;
  throw new JobError({
    code: 'USAGE',
    message: 'release-node needs a job, or --scheduler-job with a job id of the scheduler.',
    hint: 'hpc-dockerjob-helper release-node --help',
  });
}

function say(lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}

function warn(text: string): void {
  process.stderr.write(`hpc-dockerjob-helper: ${text}\n`);
}

function complain(leftovers: readonly string[]): void {
  if (leftovers.length === 0) return;
  process.exitCode = exitStatus.temporary;
  process.stderr.write(`hpc-dockerjob-helper: still there: ${leftovers.join('; ')}. Safe to try again.\n`);
}
