/**
 * What travels between the ssh client program and its agent over the relay's Unix socket, as frames. One connection is
 * one remote command.
 *
 * The client program holds no SSH of its own: it would start three times slower, and every command would pay for a new
 * login. The agent has logged in already.
 */
export const frameType = {
  /** Client, first frame: a `RelayRequest` as JSON. */
  open: 1,
  /** Client: bytes for the command's standard input. */
  input: 2,
  /** Client: standard input has ended. */
  inputEnd: 3,
  /** Agent: bytes of the command's standard output, of its standard error. */
  output: 4,
  error: 5,
  /** Agent, last frame: the exit status, one byte. */
  exit: 6,
  /** Agent, last frame: why there is no exit status, one line of text. */
  failed: 7,
} as const;
export type FrameType = (typeof frameType)[keyof typeof frameType];

export interface RelayRequest {
  readonly host: string;
  /** Undefined: whatever the job's user is called. */
  readonly user?: string | undefined;
  /** Undefined: a shell that reads its commands from standard input. */
  readonly command?: string | undefined;
}
