import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import { JobError } from '../../../values/errors.ts';
import { writeReceived } from '../../../system/frame-streams.ts';
import { encodeFrame, FrameReader } from '../../../system/frames.ts';
import type { Frame } from '../../../system/frames.ts';
import { jobEndSchema } from '../../../contract/helper-events.ts';
import type { JobEnd } from '../../../contract/helper-events.ts';
import { toJsonLine } from '../../../values/json-line.ts';
import type { JobOutput } from '../../launch-nodes.ts';
import { heldFrame, heldSignals, maxOrderBytes } from './held-job.ts';
import type { RunOrder } from './held-job.ts';
import { parseJsonAs } from '../../../values/parse-json-as.ts';

/** Local, and the other side has nothing else to do. */
const connectMs = 5000;

/**
 * Has the held job run the script's command: passes on its output and our signals, resolves to how the job ended. Resolves
 * to undefined when no job is held at this socket, or none that fits the order: then nothing is held any more. Fails with
 * `HELPER_LOST` when the holder dies, and when a job that is not wanted is not gone within `dismissMs`.
 */
export async function joinHeldJob(
  socketPath: string,
  order: RunOrder,
  output: JobOutput,
  dismissMs: number,
): Promise<JobEnd | undefined> {
  const text = toJsonLine(order); // escaped as the helper will get it: it is as long there
  const isTooLong = Buffer.byteLength(text) > maxOrderBytes;
  const first = isTooLong ? encodeFrame(heldFrame.dismiss) : encodeFrame(heldFrame.run, text);
  return await converse(socketPath, first, dismissMs, output);
}

/** Has the job that is held at this socket, if there is one, ended and taken away. Fails as `joinHeldJob` does. */
export async function dismissHeldJob(socketPath: string, dismissMs: number): Promise<void> {
  await converse(socketPath, encodeFrame(heldFrame.dismiss), dismissMs);
}

async function converse(
  socketPath: string,
  first: Buffer,
  dismissMs: number,
  output?: JobOutput,
): Promise<JobEnd | undefined> {
  const socket = await connect(socketPath);
  if (socket === undefined) return undefined;
  const answer = Promise.withResolvers<JobEnd | undefined>();
  const late = setTimeout(() => answer.reject(holderLost(`does not answer for ${dismissMs / 1000} s`)), dismissMs);
  const take = ({ type, content }: Frame): void => {
    if (type === heldFrame.output && output) writeReceived(output.stdout, content, socket);
    if (type === heldFrame.error && output) writeReceived(output.stderr, content, socket);
    if (type === heldFrame.taken) clearTimeout(late);
    if (type === heldFrame.dismissed) answer.resolve(undefined);
    if (type === heldFrame.end) answer.resolve(parseJsonAs(jobEndSchema, content.toString()));
  };
  const frames = new FrameReader();
  socket.on('data', (bytes) => {
    try {
      frames.read(bytes).forEach(take);
    } catch {
      answer.reject(holderLost('says what is none of its words'));
    }
  });
  socket.on('close', () => answer.reject(holderLost('has ended')));
  socket.write(first);
  const pass = (signal: NodeJS.Signals): void => void socket.write(encodeFrame(heldFrame.signal, signal));
  for (const signal of heldSignals) process.on(signal, pass);
  try {
    return await answer.promise;
  } finally {
    clearTimeout(late);
    for (const signal of heldSignals) process.removeListener(signal, pass);
    socket.destroy();
  }
}

/** Undefined where nobody listens; what is left of one who did is taken away. */
async function connect(socketPath: string): Promise<Socket | undefined> {
  const socket = createConnection(socketPath);
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(connectMs) });
    return socket.on('error', () => socket.destroy());
  } catch (error) {
    socket.on('error', () => undefined).destroy();
    const isLeft = error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
    if (isLeft) await rm(socketPath, { force: true }); // by a holder that was killed
    return undefined;
  }
}

function holderLost(reason: string): JobError {
  return new JobError({
    code: 'HELPER_LOST',
    message: `The process that has held the job since before its script ${reason}.`,
    hint: 'The hosts remove what is left of the job. Submit it again.',
  });
}
