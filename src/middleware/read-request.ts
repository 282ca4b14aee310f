import { posix } from 'node:path';
import { JobError } from '../values/errors.ts';
import { quoteWord, showWord } from '../values/one-line.ts';
import { deviceNamePattern } from '../values/device-name.ts';
import { parseBytes } from '../values/parse-bytes.ts';
import type { JobCommand } from '../contract/job-request.ts';
import { refuseOversized } from '../contract/request-budget.ts';

/** One page: the kernel would round it up. */
const leastShmBytes = 4096;

/** Options of the command line that describe a job. */
export interface RequestOptions {
  readonly application?: string;
  readonly image?: string;
  readonly workdir?: string;
  /** `NAME=VALUE`, or `NAME` to take the value from the caller's environment. */
  readonly env?: readonly string[];
  readonly mount?: readonly string[];
  readonly device?: readonly string[];
  readonly shmSize?: string;
}

/** What the user wants to run, before anybody has judged it. */
export interface UserRequest {
  readonly application?: string;
  readonly image?: string;
  readonly command: JobCommand;
  readonly workdir: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly mounts: readonly string[];
  /** Default: none. */
  readonly devices?: readonly string[];
  /** What the site may pass on of the script's environment; default: nothing. */
  readonly offered?: Readonly<Record<string, string>>;
  /** Default: 0022. */
  readonly umask?: number;
  /** Size of /dev/shm. */
  readonly shmBytes?: number;
}

/**
 * The request out of the command line, or out of APPLICATION, HPCDJ_IMAGE, COMMAND, JOBDIR and SHM_SIZE where it is silent.
 * `argv` is what stands after `--`. Fails with `REQUEST_INVALID` when it is larger than `open-job` takes.
 */
export function readRequest(
  options: RequestOptions,
  argv: readonly string[],
  environment: NodeJS.ProcessEnv,
  cwd: string,
): UserRequest {
  const request = {
    ...readSurroundings(options, environment, cwd),
    command: readCommand(argv, environment['COMMAND']),
  };
  refuseOversized(request);
  return request;
}

/** All of the request but its command. */
export function readSurroundings(
  options: RequestOptions,
  environment: NodeJS.ProcessEnv,
  cwd: string,
): Omit<UserRequest, 'command'> {
  const { application, image } = readWantedImage(options, environment);
  const workdir = options.workdir ?? readNonEmpty(environment, 'JOBDIR') ?? cwd;
  const shmBytes = readShmSize(options.shmSize, environment);
  return {
    ...(application === undefined ? {} : { application }),
    ...(image === undefined ? {} : { image }),
    workdir: posix.resolve(cwd, workdir),
    environment: readVariables(options.env ?? [], environment),
    mounts: (options.mount ?? []).map((source) => posix.resolve(cwd, source)),
    ...(options.device === undefined ? {} : { devices: options.device.map(readDeviceName) }),
    ...(shmBytes === undefined ? {} : { shmBytes }),
  };
}

/** One option is the whole answer. Two variables are a contradiction as two options are, which the policy tells. */
function readWantedImage(
  { application, image }: RequestOptions,
  environment: NodeJS.ProcessEnv,
): Pick<UserRequest, 'application' | 'image'> {
  const isAnswered = application !== undefined || image !== undefined;
  const named = isAnswered
    ? { application, image }
    : { application: readNonEmpty(environment, 'APPLICATION'), image: readNonEmpty(environment, 'HPCDJ_IMAGE') };
  return {
    ...(named.application === undefined ? {} : { application: named.application }),
    ...(named.image === undefined ? {} : { image: named.image }),
  };
}

function readNonEmpty(environment: NodeJS.ProcessEnv, name: string): string | undefined {
  const value = environment[name];
  return value === '' ? undefined : value;
}

/** Fails with `USAGE`. */
function readDeviceName(text: string): string {
  if (deviceNamePattern.test(text)) return text;
  throw new JobError({
    code: 'USAGE',
    message: `--device: "${text.slice(0, 60)}" is no name of devices.`,
    hint: text.startsWith('/')
      ? 'Give the name that site.yaml has for them (devices.allowed), not a path.'
      : 'Give a name out of devices.allowed in site.yaml: small letters, digits, ".", "_" and "-".',
  });
}

/** Fails with `USAGE`. */
function readShmSize(option: string | undefined, environment: NodeJS.ProcessEnv): number | undefined {
  const text = option ?? readNonEmpty(environment, 'SHM_SIZE');
  if (text === undefined) return undefined;
  const bytes = parseBytes(text);
  if (bytes !== undefined && bytes >= leastShmBytes) return bytes;
  throw new JobError({
    code: 'USAGE',
    message: `${option === undefined ? 'SHM_SIZE' : '--shm-size'}: "${text.slice(0, 60)}" is not a size of at least 4 KiB.`,
    hint: 'Write it like 4g or 512m; it is the size of /dev/shm on each host.',
  });
}

function readCommand(argv: readonly string[], text: string | undefined): JobCommand {
  if (argv.length > 0) {
    if (argv[0] !== '') return { kind: 'argv', argv: [...argv] };
    throw commandEmpty('The command after -- is empty.');
  }
  if (text === undefined) throw commandEmpty('There is no command: COMMAND is not set and nothing stands after --.');
  if (text.trim() === '') throw commandEmpty('COMMAND is empty.');
  return { kind: 'shell', text };
}

function commandEmpty(message: string): JobError {
  return new JobError({
    code: 'COMMAND_EMPTY',
    message,
    hint: 'Example: export COMMAND="mpirun my-solver", or hpc-submit-dockerjob --image app:1 -- mpirun my-solver.',
  });
}

/** Under which bin/hpc-submit-dockerjob keeps the variables that would act on its own Node. */
const keptPrefix = 'HPCDJ_KEPT_';

/** `NAME=VALUE`, or `NAME` out of the caller's environment. Fails with `USAGE`. */
export function readVariables(entries: readonly string[], environment: NodeJS.ProcessEnv): Record<string, string> {
  const result: Record<string, string> = {};
  for (const entry of entries) {
    const separator = entry.indexOf('=');
    const name = separator < 0 ? entry : entry.slice(0, separator);
    // An object of JavaScript has no room for the second.
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || name === '__proto__') {
      throw new JobError({
        code: 'USAGE',
        message: `--env ${showWord(entry.slice(0, 60))}: ${quoteWord(name, 60)} is not a name of a variable.`,
        hint: 'Write --env NAME=VALUE, or --env NAME.',
      });
    }
    const value =
      separator < 0 ? (environment[name] ?? environment[`${keptPrefix}${name}`]) : entry.slice(separator + 1);
    if (value === undefined) {
      throw new JobError({
        code: 'USAGE',
        message: `--env ${name.slice(0, 60)}: the variable is not set here.`,
        hint: `Write --env ${name.slice(0, 60)}=VALUE, or export it first.`,
      });
    }
    result[name] = value;
  }
  return result;
}
