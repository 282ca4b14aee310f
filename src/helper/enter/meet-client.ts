import type { Readable } from 'node:stream';
import type { EnterRequest, WindowSize } from '../../contract/enter-protocol.ts';
import { enterFrames, parseEnterRequest, windowSizeSchema } from '../../contract/enter-protocol.ts';
import { within } from '../../system/deadline.ts';
import type { Frame } from '../../system/frames.ts';
import { FrameReader } from '../../system/frames.ts';
import { asClause, JobError } from '../../values/errors.ts';
import { findJsonAs } from '../../values/parse-json-as.ts';

/** Where what the client says goes. */
export interface EnterTarget {
  readonly input: NodeJS.WritableStream;
  readonly resize: (size: WindowSize) => Promise<void>;
}

/** Who is at the terminal: the user's middleware, of which nothing is believed. */
export interface EnterClient {
  readonly request: EnterRequest;
  /** Resolves when nobody is there any more, or says what no client of ours says. */
  readonly gone: Promise<undefined>;
  /** Passes on what comes from now on, as fast as the target takes it. */
  follow(target: EnterTarget): void;
}

const requestMs = 10_000;

/** Waits for the request. Fails with `USAGE` when none comes, or what comes is none. */
export async function meetClient(stream: Readable): Promise<EnterClient> {
  const gone = Promise.withResolvers<undefined>();
  const request = Promise.withResolvers<EnterRequest>();
  request.promise.catch(() => undefined);
  const waiting: Frame[] = [];
  let target: EnterTarget | undefined;
  let isMet = false;
  const leave = (reason: string): void => {
    request.reject(usage(reason));
    gone.resolve(undefined);
  };
  const take = (frame: Frame): void => {
    if (target === undefined) waiting.push(frame);
    else passOn(frame, target, stream);
  };
  const frames = new FrameReader();
  stream.on('data', (bytes: Buffer) => {
    try {
      for (const frame of frames.read(bytes)) {
        if (isMet) take(frame);
        else {
          if (frame.type !== enterFrames.request) throw new RangeError(`a frame of type ${frame.type}`);
          request.resolve(parseEnterRequest(frame.content));
          isMet = true;
          stream.pause(); // more is not kept before there is somebody to take it
        }
      }
    } catch (error) {
      stream.pause();
      leave(`it cannot be read: ${asClause(error).slice(0, 200)}`);
    }
  });
  for (const event of ['end', 'close', 'error']) stream.on(event, () => leave('none has come'));
  const met = await within(requestMs, request.promise, undefined);
  if (met === undefined) throw usage('none has come in time');
  return {
    request: met,
    gone: Promise.race([gone.promise, ...(met.mostSilenceSeconds === undefined ? [] : [silence(stream, met)])]),
    follow: (to) => {
      target = { input: to.input, resize: oneAtATime(to.resize) };
      stream.resume();
      for (const frame of waiting.splice(0)) take(frame);
    },
  };
}

/** Looks a few times in all: who was frozen itself meanwhile finds at its next look what has come. */
const looks = 4;

async function silence(stream: Readable, { mostSilenceSeconds = Infinity }: EnterRequest): Promise<undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let without = 0;
  stream.on('data', () => (without = 0));
  const look = (): void => {
    without += stream.isPaused() ? 0 : 1; // what runs takes nothing: then we do not hear
    if (without > looks) resolve(undefined);
  };
  const timer = setInterval(look, (mostSilenceSeconds * 1000) / looks).unref();
  await promise;
  clearInterval(timer);
  return undefined;
}

function passOn({ type, content }: Frame, { input, resize }: EnterTarget, stream: Readable): void {
  switch (type) {
    case enterFrames.input: {
      if (!input.writable || input.write(content)) return;
      stream.pause();
      input.once('drain', () => stream.resume());
      return;
    }
    case enterFrames.alive:
      return;
    case enterFrames.inputEnd:
      input.end();
      return;
    case enterFrames.resize: {
      const size = findJsonAs(windowSizeSchema, content.toString('utf8'));
      if (size !== undefined) void resize(size);
      return;
    }
    default:
      throw new RangeError(`a frame of type ${type}`);
  }
}

/** Of many sizes the last one counts: nobody can have the engine asked more often than it answers. */
function oneAtATime(resize: EnterTarget['resize']): EnterTarget['resize'] {
  let next: WindowSize | undefined;
  let isBusy = false;
  return async (size) => {
    next = size;
    if (isBusy) return;
    isBusy = true;
    for (let now = next; next !== undefined;) {
      now = next;
      next = undefined;
      await resize(now).catch(() => undefined); // what runs has just ended
    }
    isBusy = false;
  };
}

function usage(reason: string): JobError {
  return new JobError({
    code: 'USAGE',
    message: `enter-job takes its request on standard input, and ${reason}.`,
    hint: 'Call hpc-submit-dockerjob shell, which speaks to it.',
  });
}
