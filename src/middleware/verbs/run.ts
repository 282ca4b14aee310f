import { accessSync, constants, existsSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { endByError } from '../../contract/helper-events.ts';
import { findScheduler } from '../../schedulers/find-scheduler.ts';
import { asClause, asJobError, JobError } from '../../values/errors.ts';
import { showWord } from '../../values/one-line.ts';
import { currentDirectory } from '../check-workdir.ts';
import { decideInput, readInputWish } from '../decide-input.ts';
import { tellLostOutput } from '../lost-output.ts';
import { lookAtInput } from '../look-at-input.ts';
import { offerVariables } from '../offer-variables.ts';
import { outcomeJson, refusalJson } from '../outcome.ts';
import { readRequest } from '../read-request.ts';
import { readUmask } from '../read-umask.ts';
import { openVerbose } from '../open-verbose.ts';
import { runJob } from '../run-job.ts';
import { showProgress } from '../show-progress.ts';
import { defineRun } from './define-run.ts';
import type { RunOptions } from './run-options.ts';
import type { VerbCall } from './verb.ts';

const startedAtMs = performance.now() - process.uptime() * 1000;

/** What the program does without a verb: it runs the command in the containers of the job. */
export const run = {
  define: defineRun,
  run: async ({ called, command }: VerbCall): Promise<number> => {
    return await runInContainers(called.opts<RunOptions>(), command);
  },
} as const;

/** Runs the command in containers, one per host of the job that we are in; resolves to the exit status. */
export async function runInContainers(options: RunOptions, command: readonly string[]): Promise<number> {
  checkOutcomeFile(options.json);
  const progress = showProgress(
    { write: (text) => void process.stderr.write(text), isTerminal: process.stderr.isTTY },
    { isQuiet: options.quiet === true, startedAtMs },
  );
  const log = await openVerbose(options.verbose === true, process.env);
  try {
    const request = {
      ...readRequest(options, command, process.env, currentDirectory()),
      offered: offerVariables(process.env),
      umask: readUmask(),
    };
    const wish = options.stdin ?? readInputWish(process.env['HPCDJ_STDIN']);
    const decision = decideInput(wish, lookAtInput(options.ownsInput));
    const scheduler = await findScheduler(process.env);
    if (decision.note !== undefined) process.stderr.write(`hpc-submit-dockerjob: note: ${decision.note}\n`);
    const outcome = await runJob({
      request,
      scheduler,
      environment: process.env,
      uid: process.getuid?.() ?? -1,
      gid: process.getgid?.(),
      progress,
      log,
      ...(decision.isPassed ? { openInput: () => process.stdin } : {}),
    });
    if (outcome.end.by === 'middleware')
      process.stderr.write(`hpc-submit-dockerjob: ${JobError.fromWire(outcome.end).toLine()}\n`);
    const lost = tellLostOutput();
    // A command that failed by itself keeps its status.
    const end = lost === undefined || outcome.end.exitStatus !== 0 ? outcome.end : endByError(lost);
    writeOutcome(options.json, outcomeJson({ ...outcome, end }));
    return end.exitStatus;
  } catch (thrown) {
    log.failed(thrown);
    writeOutcome(options.json, refusalJson(asJobError(thrown)));
    throw thrown;
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
    message: `--json=${showWord(json)}: no file can be written there.`,
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
