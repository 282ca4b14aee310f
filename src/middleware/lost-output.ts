import { takeLoss } from '../system/flush-output.ts';
import { JobError } from '../values/errors.ts';

/** A stream of this program as messages call it. */
interface NamedStream {
  readonly name: string;
  readonly stream: NodeJS.WritableStream;
}

/**
 * Says on the other stream that one of this program's own could not be written, once: a full disk, a quota, a file that
 * cannot be written any more. Returns that as `OUTPUT_LOST`; undefined when all was written, or its reader has gone.
 */
export function tellLostOutput(
  [out, error]: readonly [NodeJS.WritableStream, NodeJS.WritableStream] = [process.stdout, process.stderr],
): JobError | undefined {
  const named: readonly NamedStream[] = [
    { name: 'Standard output', stream: out },
    { name: 'Standard error', stream: error },
  ];
  const lost = named
    .map(({ name, stream }) => ({ name, stream, reason: takeLoss(stream) }))
    .filter(({ reason }) => reason !== undefined);
  const [first] = lost;
  if (first === undefined) return undefined;
  const told = new JobError({
    code: 'OUTPUT_LOST',
    message: `${lost.map(({ name }) => name).join(' and ')} could not be written (${first.reason}): the command's output is incomplete.`,
    hint: 'Make room there, or send the output elsewhere, and run it again.',
  });
  const other = first.stream === error ? out : error;
  if (lost.length < named.length) other.write(`hpc-submit-dockerjob: ${told.toLine()}\n`);
  return told;
}
