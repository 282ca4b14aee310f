/** Paths inside a container. One directory holds all that we bring; an image that has it is refused by nobody: it is hidden. */
export const containerPaths = {
  /** Read-only: bin/node, lib/, agent programs. */
  runtime: '/.hpcdj/runtime',
  /** Read-only directory that holds the helper's socket. */
  socket: '/.hpcdj/helper/agent.sock',
  socketDirectory: '/.hpcdj/helper',
  /** Named pipe of the user: the command's standard input, where the job has one. */
  input: '/.hpcdj/input',
  /** tmpfs of the user: keys, ssh files, shims, host files. Private keys never touch a disk. */
  private: '/.hpcdj/private',
  /** Marks a container that is never started as one through which we look at an image. */
  lookedAt: '/.hpcdj/looked-at',
} as const;

/**
 * Options of the runtime's Node: no signal to the programs in a container opens a debugger, and the image's openssl.cnf,
 * which can name libraries, is not read.
 */
export const runtimeOptions = ['--disable-sigusr1', '--openssl-config=/dev/null'] as const;
