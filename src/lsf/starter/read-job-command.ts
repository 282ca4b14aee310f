import { JobError } from '../../values/errors.ts';
import { readSmallText } from '../../system/read-small-file.ts';

/** The command of a job as the job starter gets it, ready for a container. */
export interface JobCommandWords {
  readonly argv: readonly string[];
  /** `NAME=VALUE` words in front of the command: the starter stands before them, so the shell did not take them. */
  readonly assignments: readonly string[];
}

/** Where LSF keeps a script that came by standard input: `/home/alice/.lsbatch/1795157545.772.shell`. */
const spooledScript = /\/\.lsbatch\/[0-9]+\.[0-9]+(?:\.[0-9]+)?\.shell$/;

/** Shells that take a whole script as the word after `-c`. */
const shells = /^#!\s*(?:\/usr\/bin\/env\s+)?(?:\S*\/)?(sh|bash|dash|ksh|zsh)(?:\s+(-[A-Za-z]+))?\s*$/;

/** The kernel takes no longer word. */
const maxWordBytes = 128 * 1024 - 1;

/**
 * What a container is to run for the words that LSF put behind the starter. A script that came by standard input lies in
 * the user's home, which containers need not see: unless they do (`isVisible`), its text goes along, for the shell that
 * its first line names. Fails with `COMMAND_EMPTY`, or `REQUEST_INVALID` for a script that cannot go along.
 */
export function readJobCommand(words: readonly string[], isVisible: (path: string) => boolean): JobCommandWords {
  const first = words.findIndex((word) => !/^[A-Za-z_][A-Za-z0-9_]*=/.test(word));
  const [program, ...rest] = first < 0 ? [] : words.slice(first);
  if (program === undefined || program === '') {
    throw new JobError({
      code: 'COMMAND_EMPTY',
      message: 'The job has no command.',
      hint: 'The starter is called by LSF: JOB_STARTER in lsb.queues.',
    });
  }
  const assignments = words.slice(0, first);
  if (!spooledScript.test(program) || isVisible(program)) return { argv: [program, ...rest], assignments };
  return { argv: inlineScript(program, rest), assignments };
}

/** A call of the middleware as a command of its own, in a line that is no comment. */
const ownCall = /^(?![ \t]*#)(?:.*[\s;&|(/])?hpc[-_]submit[-_]dockerjob(?:\s|;|$)/m;

/**
 * True when LSF runs a script from standard input that calls the middleware itself: it names its own image. Fails with
 * `REQUEST_INVALID` when the script cannot be read.
 */
export function callsMiddleware([program = '']: readonly string[]): boolean {
  return spooledScript.test(program) && ownCall.test(readScript(program));
}

function inlineScript(path: string, rest: readonly string[]): readonly string[] {
  const text = readScript(path);
  const [firstLine = ''] = text.split('\n', 1);
  const [, shell = 'sh', flags] = firstLine.startsWith('#!') ? (shells.exec(firstLine) ?? [undefined, '']) : [];
  if (shell !== '' && Buffer.byteLength(text) <= maxWordBytes)
    return [shell, ...(flags === undefined ? [] : [flags]), '-c', text, path, ...rest];
  throw new JobError({
    code: 'REQUEST_INVALID',
    message:
      shell === ''
        ? `The container does not see the job script, and its interpreter (${firstLine.slice(0, 80)}) is no shell that could be handed its text.`
        : 'The container does not see the job script, and it is too long to be handed on (128 KiB).',
    hint: 'Put the script into a file that containers see, and submit that: bsub … ./script.',
  });
}

function readScript(path: string): string {
  return readSmallText(
    path,
    (reason) =>
      new JobError({
        code: 'REQUEST_INVALID',
        message: `The job script, which LSF keeps in ${path.slice(0, 200)}, cannot be read: ${reason}.`,
        hint: 'Put the script into a file that containers see, and submit that: bsub … ./script.',
      }),
  );
}
