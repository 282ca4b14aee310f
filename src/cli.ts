import './system/configure-zod.ts';
import { CommanderError } from 'commander';
import { flushWhileRead } from './middleware/await-delivery.ts';
import { createProgram } from './middleware/create-program.ts';
import { tellLostOutput } from './middleware/lost-output.ts';
import { outliveCommandSignals } from './middleware/pass-signals.ts';
import { outliveReaders } from './system/flush-output.ts';
import { asJobError, exitStatus } from './values/errors.ts';

/** argv -> the verb -> the exit status. The only place of this program that exits. */
async function main(argv: readonly string[]): Promise<number> {
  outliveCommandSignals();
  outliveReaders(process.stdout, process.stderr);
  // What follows -- is the user's command and is never looked at for options of ours.
  const separator = argv[0] === 'starter' ? -1 : argv.indexOf('--');
  const own = separator < 0 ? argv : argv.slice(0, separator);
  const command = separator < 0 ? [] : argv.slice(separator + 1);
  let status: number = exitStatus.bug;
  const program = createProgram(command, (result) => (status = result));
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
  // Standard output may be a slow pipe, and is waited for while somebody reads; nothing else may hold the process.
  if ((await flushWhileRead(process.stdout, process.stderr)) === 'unread') process.exit(status);
  const lost = tellLostOutput();
  if (lost !== undefined && status === 0) process.exitCode = lost.exitStatus;
  setTimeout(() => process.exit(), 5000).unref();
});
