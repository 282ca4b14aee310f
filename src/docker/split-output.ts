import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { Readable, Writable } from 'node:stream';
import type { ContainerOutput } from '../ports/container-engine.ts';
import { JobError } from '../values/errors.ts';

const headerLength = 8;

/** The first byte of a frame's header: 2 is standard error, 3 is the engine's own complaint. */
const targetByType: Readonly<Record<number, 'stdout' | 'stderr'>> = { 1: 'stdout', 2: 'stderr', 3: 'stderr' };

/**
 * Separates the engine's frames (1 byte stream, 3 zero bytes, 4 bytes length) into the container's two streams. Reads
 * no further while a reader is behind: both streams must be read, or a container that writes much stands still. A reader
 * that destroys its stream is not waited for. The library's own demultiplexer has no such back pressure.
 * When the source has ended or broken, `goOn` gives the next one; without one the streams end, or fail as the source did.
 */
export function splitOutput(
  source: Readable,
  goOn: () => Promise<Readable | undefined> = () => Promise.resolve(undefined),
): ContainerOutput {
  const targets = { stdout: new PassThrough(), stderr: new PassThrough() };
  deliverAll(source, goOn, targets).then(
    () => {
      targets.stdout.end();
      targets.stderr.end();
    },
    (error: unknown) => {
      const failure = error instanceof JobError ? error : outputLost(error);
      targets.stdout.destroy(failure);
      targets.stderr.destroy(failure);
    },
  );
  return targets;
}

type Targets = Readonly<Record<'stdout' | 'stderr', Writable>>;

async function deliverAll(first: Readable, goOn: () => Promise<Readable | undefined>, targets: Targets): Promise<void> {
  let source: Readable | undefined = first;
  while (source !== undefined) {
    let broken: JobError | undefined;
    try {
      await deliverFrames(source, targets);
    } catch (error) {
      broken = error instanceof JobError ? error : outputLost(error);
      // What is no frame will be none after another connection.
      if (broken.code === 'BUG') throw broken;
    }
    source = await goOn();
    if (source === undefined && broken !== undefined) throw broken;
  }
}

async function deliverFrames(source: Readable, targets: Targets): Promise<void> {
  const header = Buffer.alloc(headerLength);
  let headerFill = 0;
  let payloadLeft = 0;
  let target: Writable = targets.stdout;
  for await (const piece of source as AsyncIterable<Buffer>) {
    let rest = piece;
    while (rest.length > 0) {
      if (payloadLeft > 0) {
        const payload = rest.subarray(0, payloadLeft);
        payloadLeft -= payload.length;
        rest = rest.subarray(payload.length);
        await write(target, payload);
        continue;
      }
      const copied = rest.copy(header, headerFill, 0, headerLength - headerFill);
      headerFill += copied;
      rest = rest.subarray(copied);
      if (headerFill < headerLength) continue;
      headerFill = 0;
      payloadLeft = header.readUInt32BE(4);
      const name = targetByType[header.readUInt8(0)];
      if (name === undefined) throw noFrame(header.readUInt8(0));
      target = targets[name];
    }
  }
  if (payloadLeft > 0 || headerFill > 0) throw outputLost(new Error('the connection broke inside a frame'));
}

async function write(target: Writable, payload: Buffer): Promise<void> {
  if (target.destroyed || target.write(payload)) return;
  const settled = new AbortController();
  const { signal } = settled;
  try {
    await Promise.race([once(target, 'drain', { signal }), once(target, 'close', { signal })]);
  } finally {
    settled.abort();
  }
}

function noFrame(type: number): JobError {
  return new JobError({ code: 'BUG', message: `The output of the container broke off: unknown stream ${type}.` });
}

function outputLost(cause: unknown): JobError {
  return new JobError({
    code: 'ENGINE_UNREACHABLE',
    message: `The output of the container broke off: ${cause instanceof Error ? cause.message : String(cause)}.`,
    cause,
  });
}
