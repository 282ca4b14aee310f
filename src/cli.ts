import './system/configure-zod.ts';
import { accessSync, constants, existsSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { currentDirectory } from './middleware/check-workdir.ts';
import { createProgram } from './middleware/create-program.ts';
import type { CliActions } from './middleware/create-program.ts';
import { outcomeJson, refusalJson } from './middleware/outcome.ts';
import { outliveCommandSignals } from './middleware/pass-signals.ts';
import { readRequest } from './middleware/read-request.ts';
import { runJob } from './middleware/run-job.ts';
import { showProgress } from './middleware/show-progress.ts';
import { findScheduler } from './main.ts';
import { knownSchedulers } from './schedulers/known-schedulers.ts';
import { asClause, asJobError, exitStatus, JobError } from './values/errors.ts';
import { flushOutput, outliveReaders } from './system/flush-output.ts';
import { CommanderError } from 'commander';

/** argv -> request, outcome -> standard output and exit status. The only place of this program that exits. */
const startedAtMs = performance.now() - process.uptime() * 1000;

const actions: CliActions = {
  run: async (options, command) => {
    checkOutcomeFile(options.json);
    const progress = showProgress(
      { write: (text) => void process.stderr.write(text), isTerminal: process.stderr.isTTY },
      { isQuiet: options.quiet === true, startedAtMs },
    );
    try {
      const request = readRequest(options, command, process.env, currentDirectory());
      const scheduler = await findScheduler(process.env);
      const outcome = await runJob({
        request,
        scheduler,
        environment: process.env,
        uid: process.getuid?.() ?? -1,
        progress,
      });
      if (outcome.end.by === 'middleware')
        process.stderr.write(`hpc-submit-dockerjob: ${JobError.fromWire(outcome.end).toLine()}\n`);
      writeOutcome(options.json, outcomeJson(outcome));
      return outcome.end.exitStatus;
    } catch (thrown) {
      writeOutcome(options.json, refusalJson(asJobError(thrown)));
      throw thrown;
    }
  },
  // Loaded only when asked for: every job's start waits for this program.
  explain: async (options, command) => {
    const { explainRequest } = await import('./middleware/explain-request.ts');
    process.stdout.write(await explainRequest(options, command, process.env, currentDirectory(), countHosts));
    return 0;
  },
  checkConfig: async (file) => {
    const { checkConfigFile } = await import('./config/check-config.ts');
    const problems = await checkConfigFile(file);
    if (problems.length === 0) {
      process.stdout.write(`${file}: valid\n`);
      return 0;
    }
    process.stderr.write(`${problems.join('\n')}\n`);
    return exitStatus.badConfig;
  },
  doctor: async ({ scheduler, json }) => {
    const { runDoctor } = await import('./middleware/doctor/run-doctor.ts');
    const { statusOfFindings } = await import('./contract/finding.ts');
    const { findingsJson, renderFindings } = await import('./middleware/doctor/show-findings.ts');
    const findings = await runDoctor(knownSchedulers, scheduler);
    process.stdout.write(json === true ? `${findingsJson(hostname(), findings)}\n` : renderFindings(findings));
    return statusOfFindings(findings);
  },
  starter: async (options, words) => {
    const { planStarter } = await import('./middleware/lsf/plan-starter.ts');
    const plan = await planStarter(options, words, process.env);
    if (plan.kind === 'container' && plan.note !== undefined)
      process.stderr.write(`hpc-submit-dockerjob: note: ${plan.note}\n`);
    const { runHeldJob } = await import('./middleware/lsf/prologue/run-held-job.ts');
    const { env: environment, stdout, stderr } = process;
    const surroundings = {
      environment,
      uid: process.getuid?.() ?? -1,
      cwd: currentDirectory,
      output: { stdout, stderr },
    };
    const status = await runHeldJob(plan, surroundings);
    if (status !== undefined) return status;
    if (plan.kind === 'container') return await actions.run(plan.options, plan.argv);
    const { runOnHost } = await import('./middleware/lsf/run-on-host.ts');
    return await runOnHost(plan.argv);
  },
  esub: async (alias) => {
    const { runEsub } = await import('./middleware/lsf/run-esub.ts');
    const say = (line: string): void => void process.stderr.write(`hpc-submit-dockerjob: ${line}\n`);
    return await runEsub({ alias, environment: process.env, say });
  },
  preExec: async (options) => {
    const { runPreExec } = await import('./middleware/lsf/run-pre-exec.ts');
    const { askHelper } = await import('./middleware/doctor/ask-helper.ts');
    const { helperArgv } = await import('./middleware/call-helper.ts');
    return await runPreExec({
      options,
      environment: process.env,
      askHost: async (question) => await askHelper(helperArgv('check-host'), question),
      say: (line) => void process.stderr.write(`hpc-submit-dockerjob: ${line}\n`),
    });
  },
  prologue: async (options) => {
    const { runPrologue } = await import('./middleware/lsf/prologue/run-prologue.ts');
    const { application, image } = options;
    return await runPrologue({
      options,
      environment: process.env,
      uid: process.getuid?.() ?? -1,
      holdCommand: [
        process.execPath,
        ...[...process.execArgv, process.argv[1] ?? '', 'hold'],
        ...(application === undefined ? [] : ['--application', application]),
        ...(image === undefined ? [] : ['--image', image]),
      ],
      say: (line) => void process.stderr.write(`hpc-submit-dockerjob: ${line}\n`),
    });
  },
  hold: async (options) => {
    const { findHeldImage } = await import('./middleware/lsf/prologue/run-prologue.ts');
    const { holdJob } = await import('./middleware/lsf/prologue/hold-job.ts');
    const { linkToPreExec } = await import('./middleware/lsf/prologue/holder-word.ts');
    const held = await findHeldImage({ options, environment: process.env });
    if (held === undefined) return 0;
    await holdJob({
      wanted: held.wanted,
      scheduler: await findScheduler(process.env),
      environment: process.env,
      uid: process.getuid?.() ?? -1,
      preExec: linkToPreExec(process.stdin, process.stdout),
    });
    return 0;
  },
  spread: async (ssh, hosts, argv) => {
    const { spreadBySsh } = await import('./lsf/spread-by-ssh.ts');
    return await spreadBySsh(ssh, hosts, argv);
  },
};

/** Of the job that we are in; 1 outside of one. */
async function countHosts(): Promise<number> {
  try {
    return (await findScheduler(process.env)).readAllocation(process.env).hosts.length;
  } catch {
    return 1;
  }
}

/** Fails with `USAGE` when the outcome could not be written: better before the job than after it. */
function checkOutcomeFile(json: string | boolean | undefined): void {
  if (typeof json !== 'string') return;
  try {
    accessSync(existsSync(json) ? json : dirname(json), constants.W_OK);
    if (json !== '' && statSync(json, { throwIfNoEntry: false })?.isDirectory() !== true) return;
  } catch {
    // Told below.
  }
  throw new JobError({
    code: 'USAGE',
    message: `--json=${json}: no file can be written there.`,
    hint: 'Name a file in a directory that exists and that you may write to.',
  });
}

/**
 * `--json` prints the outcome as the last line of standard output, `--json=FILE` writes it to a file. The status is the
 * job's, also when that fails.
 */
function writeOutcome(json: string | boolean | undefined, text: string): void {
  if (json === undefined || json === false) return;
  if (json === true) process.stdout.write(`${text}\n`);
  else {
    try {
      writeFileSync(json, `${text}\n`);
    } catch (error) {
      process.stderr.write(`hpc-submit-dockerjob: The outcome could not be written: ${asClause(error)}.\n`);
    }
  }
}

async function main(argv: readonly string[]): Promise<number> {
  outliveCommandSignals();
  outliveReaders(process.stdout, process.stderr);
  // What follows -- is the user's command and is never looked at for options of ours.
  const separator = argv[0] === 'starter' ? -1 : argv.indexOf('--');
  const own = separator < 0 ? argv : argv.slice(0, separator);
  const command = separator < 0 ? [] : argv.slice(separator + 1);
  let status: number = exitStatus.bug;
  const program = createProgram(command, actions, (result) => (status = result));
  try {
    await program.parseAsync(own, { from: 'user' });
    return status;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : exitStatus.usage;
    const error = asJobError(thrown);
    process.stderr.write(`hpc-submit-dockerjob: ${error.toLine()}\n`);
    if (error.code === 'BUG' && process.env['HPCDJ_DEBUG'])
      process.stderr.write(`${String(error.cause instanceof Error ? error.cause.stack : error.cause)}\n`);
    return error.exitStatus;
  }
}

void main(process.argv.slice(2)).then(async (status) => {
  process.exitCode = status;
  // Standard output may be a slow pipe, and is waited for as long as somebody reads; nothing else may hold the process.
  await Promise.all([process.stdout, process.stderr].map(flushOutput));
  setTimeout(() => process.exit(status), 5000).unref();
});
