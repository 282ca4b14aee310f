import { accessSync, constants as fileConstants } from 'node:fs';
import { constants } from 'node:os';
import { JobError } from '../../values/errors.ts';
import type { JobCommand, PlannedCommand } from '../../contract/job-request.ts';
import { explainFailedStart, hintAtFault } from './explain-failed-start.ts';
import { ProcessGroup } from './process-group.ts';

const shell = '/bin/sh';

type Environment = Readonly<Record<string, string>>;

/** Fails with `IMAGE_UNUSABLE` when the image has no shell and this job needs one. */
export function requireShell(command: PlannedCommand, nodeCount: number): void {
  if (command.kind !== 'shell' && nodeCount === 1) return;
  try {
    accessSync(shell, fileConstants.X_OK);
  } catch (error) {
    throw new JobError({
      code: 'IMAGE_UNUSABLE',
      message: `The image has no usable ${shell}: it is needed for a command line and for starting ranks on other nodes.`,
      hint: 'Use an image with a shell; any will do, busybox too.',
      cause: error,
    });
  }
}

export interface StartedCommand {
  readonly group: ProcessGroup;
  /** Whether it runs, as soon as that is clear. */
  readonly started: Promise<boolean>;
  /** Resolves with its exit status: 128 + n for a signal, 127 not found, 126 not executable. Never rejects. */
  readonly ended: Promise<number>;
}

/**
 * Starts the job's command in the current directory with this process's own output; `input` is the descriptor of its
 * standard input, which is empty without one.
 */
export function startCommand(command: JobCommand, environment: Environment, input?: number): StartedCommand {
  const [file = '', ...argv] = command.kind === 'shell' ? [shell, '-c', command.text] : command.argv;
  const group = new ProcessGroup(file, argv, { env: environment, stdio: [input ?? 'ignore', 'inherit', 'inherit'] });
  const started = Promise.withResolvers<boolean>();
  const ended = Promise.withResolvers<number>();
  group.child.once('spawn', () => started.resolve(true));
  group.child.once('error', (error: NodeJS.ErrnoException) => {
    ended.resolve(tellFailedStart(file, error, environment));
    started.resolve(false);
  });
  group.child.once('exit', (status, signal) => {
    if (status !== null && status !== 0) tellFault(command, environment, status);
    ended.resolve(status ?? 128 + constants.signals[signal ?? 'SIGKILL']);
  });
  return { group, started: started.promise, ended: ended.promise };
}

// Like a shell: the user looks for this line where the command's own output is.
function tellFailedStart(file: string, error: NodeJS.ErrnoException, environment: Environment): number {
  const { exitStatus, reason } = explainFailedStart(file, error, environment);
  process.stderr.write(`hpc-submit-dockerjob: cannot run ${JSON.stringify(file)}: ${reason}.\n`);
  return exitStatus;
}

/** The program's own message, or that of a shell, seldom says that the fault is in a file. */
function tellFault(command: JobCommand, environment: Environment, exitStatus: number): void {
  const hint = hintAtFault(command, environment, exitStatus);
  if (hint !== undefined) process.stderr.write(`hpc-submit-dockerjob: note: ${hint}.\n`);
}
