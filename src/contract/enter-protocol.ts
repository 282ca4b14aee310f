import * as z from 'zod';
import { parseJsonAs } from '../values/parse-json-as.ts';

/** What the middleware says to `enter-job`, as frames (`system/frames.ts`): the request first, and once. */
export const enterFrames = {
  /** `EnterRequest` as JSON. */
  request: 1,
  /** Bytes for the standard input of what runs. */
  input: 2,
  /** Its standard input ends here. The terminal, or the pipe, stays until what runs has ended. */
  inputEnd: 3,
  /** `WindowSize` as JSON: the terminal has another size. */
  resize: 4,
  /** Somebody is still there. Of a client that has named `mostSilenceSeconds`. */
  alive: 5,
} as const;

/** `enter-job` says so on standard error, as a line, when what runs has the terminal: from then on keys are its own. */
export const enteredLine = 'entered';

/** Of the JSON of a request: what it becomes inside the container is one argument, of which Linux takes 128 KiB. */
export const maxRequestBytes = 64 * 1024;

const cells = z.int().min(1).max(65_535);
const windowSizeShape = { columns: cells, rows: cells };
export const windowSizeSchema = z.strictObject(windowSizeShape);
export type WindowSize = z.infer<typeof windowSizeSchema>;

/** Name of a terminal in the terminfo database. */
const terminalName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/);

const word = z.string().refine((text) => !text.includes('\0'), { error: 'holds a zero byte' });

export const enterRequestSchema = z.strictObject({
  /** Program and arguments; empty: a shell. */
  command: z.array(word).max(4096),
  /** Absent: no terminal, three pipes. */
  terminal: z.strictObject({ name: terminalName.optional(), ...windowSizeShape }).optional(),
  /** After so long without a frame nobody is there: where a launcher lies between, which tells no end of a connection. */
  mostSilenceSeconds: z.int().min(1).max(86_400).optional(),
});
export type EnterRequest = z.infer<typeof enterRequestSchema>;

/** What `enter-job` tells its own first program inside the container, as the only argument. */
export const entryOrderSchema = z.strictObject({
  /** Name of the file, in the directory of the helper's socket, that says: you are as you must be, go on. */
  leave: z.string().regex(/^enter-[0-9a-f]{32}$/),
  command: z.array(word),
  terminalName: terminalName.optional(),
  isTerminal: z.boolean(),
});
export type EntryOrder = z.infer<typeof entryOrderSchema>;

/** What the agent leaves for those who enter later: the surroundings of the job's command. A file of the user's own. */
export const jobSurroundingsSchema = z.strictObject({
  environment: z.record(z.string(), z.string()),
  workdir: z.string(),
  umask: z.int().min(0).max(0o777),
});
export type JobSurroundings = z.infer<typeof jobSurroundingsSchema>;

/** The request in the content of a frame. Fails with the parser's or the schema's own error. */
export function parseEnterRequest(content: Uint8Array): EnterRequest {
  if (content.length > maxRequestBytes) throw new RangeError(`a request of ${content.length} bytes`);
  return parseJsonAs(enterRequestSchema, Buffer.from(content).toString('utf8'));
}
