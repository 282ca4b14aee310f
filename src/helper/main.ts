import { outliveReaders } from '../system/flush-output.ts';
import { identifyCaller, readCallerFacts } from './caller/identify-caller.ts';
import type { HelperContext } from './open-context.ts';
import { openContext } from './open-context.ts';
import { describeFailure } from './verbs/describe-failure.ts';
import { helperVerbs } from './verbs/helper-verbs.ts';
import { readCommandLine } from './verbs/read-command-line.ts';
import { writeHelp } from './verbs/write-help.ts';

/** Does what the command line asks for, by the table of verbs. Resolves to the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  outliveReaders(process.stdout, process.stderr);
  // A scheduler that signals all processes of a job means its command; none of our own must end of it.
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => undefined);
  let opened: HelperContext | undefined;
  const open = async (): Promise<HelperContext> => {
    opened = await openContext(identifyCaller(readCallerFacts(process.env)));
    return opened;
  };
  try {
    const line = readCommandLine(argv, helperVerbs);
    if (line.kind === 'help') process.stdout.write(writeHelp(line.verb, helperVerbs));
    else if (line.kind === 'version') process.stdout.write(`${process.env['HPCDJ_VERSION'] ?? 'development'}\n`);
    else await line.verb.run({ ...line.call, openContext: open });
    return Number(process.exitCode ?? 0);
  } catch (thrown) {
    const error = describeFailure(thrown);
    process.stderr.write(`hpc-dockerjob-helper: ${error.toLine()}\n`);
    return error.exitStatus;
  } finally {
    await opened?.audit.flush();
  }
}
