import * as z from 'zod';
import { deviceNamePattern } from '../values/device-name.ts';
import { parseJobKey } from './job-key.ts';
import type { JobKey } from './job-key.ts';
import { isSchedulerJobId, schedulerNames } from './schedulers.ts';

/** Version of the exchange between middleware and helper; both come from one package, so it must be equal. */
export const requestProtocol = 1;

export const jobKeySchema = z.string().transform((text, context): JobKey => {
  const key = parseJobKey(text);
  if (key !== undefined) return key;
  context.addIssue({ code: 'custom', message: 'expected a job id like 772 or 772_3' });
  return z.NEVER;
});

/** No control characters: such a text would forge lines in files, logs and etcd. */
const plainText = (maxLength: number): z.ZodString =>
  z
    .string()
    .max(maxLength)
    .regex(/^[^\p{Cc}\u2028\u2029]*$/u, 'must not hold control characters');

const noNul = (maxLength: number): z.ZodString =>
  z
    .string()
    .max(maxLength)
    .regex(/^[^\u0000]*$/u, 'must not hold a NUL character');

/** Linux takes no argument or variable of more bytes, its end included (MAX_ARG_STRLEN). */
/** Of a command that is given as words. */
export const mostCommandWords = 4096;

const mostArgumentBytes = 128 * 1024 - 1;
const argument = noNul(mostArgumentBytes).refine(
  (text) => Buffer.byteLength(text) <= mostArgumentBytes,
  `must be of at most ${mostArgumentBytes} bytes, as Linux allows for one argument`,
);

/** `shell`: a text for the container's /bin/sh, as in COMMAND; `argv`: a program with its arguments, as after `--`. */
export const commandSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('shell'),
    text: argument.refine((text) => text.trim() !== '', 'must not be empty'),
  }),
  z.strictObject({
    kind: z.literal('argv'),
    argv: z.array(argument).min(1).max(mostCommandWords),
  }),
]);
export type JobCommand = z.infer<typeof commandSchema>;

/** `later`: the job is brought to the point of its start first, and told by an order then. */
export const plannedCommandSchema = z.discriminatedUnion('kind', [
  ...commandSchema.options,
  z.strictObject({ kind: z.literal('later') }),
]);
export type PlannedCommand = z.infer<typeof plannedCommandSchema>;

export const environmentSchema = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/, 'is not a name of an environment variable'),
  noNul(128 * 1024),
);

/** Permissions that new files of the command do not get. */
export const umaskSchema = z.number().int().min(0).max(0o777);

/** The command of a job that was opened without one, with variables that it sets besides those of the request, and its umask. */
export const lateCommandSchema = z.strictObject({
  command: commandSchema,
  environment: environmentSchema,
  umask: umaskSchema.optional(),
});
export type LateCommand = z.infer<typeof lateCommandSchema>;

export const absolutePathSchema = plainText(4096).regex(
  /^\/(?!(?:.*\/)?\.{1,2}(?:\/|$))/su,
  'must be an absolute path without . and ..',
);

export const schedulerSchema = z.enum(schedulerNames);

export const hostNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/, 'is not a host name');

/** Random; tells the `run-node`s of one call of hpc-submit-dockerjob from those of another in the same job. */
export const launchIdSchema = z.string().regex(/^[0-9a-f]{16}$/, 'is not the id of a launch');

/** The kernel rounds up to a page. */
export const shmBytesSchema = z.int().min(4096);

/** Of kinds of devices, as site.yaml calls them. */
export const deviceNamesSchema = z.array(z.string().regex(deviceNamePattern)).max(64);

const requestShape = z.strictObject({
  protocol: z.literal(requestProtocol),
  launchId: launchIdSchema,
  scheduler: schedulerSchema,
  schedulerJobId: z.string(),
  job: jobKeySchema,
  hosts: z
    .array(z.strictObject({ name: hostNameSchema, slots: z.number().int().min(1).max(65_536) }))
    .min(1)
    .max(65_536),
  /** Name in the site's catalogue; exactly one of application and image. */
  application: plainText(256).optional(),
  image: plainText(512).optional(),
  command: plannedCommandSchema,
  workdir: absolutePathSchema,
  environment: environmentSchema,
  /** Of the batch script, for the site to pass on; those of `environment` win. */
  offered: environmentSchema.default({}),
  umask: umaskSchema.default(0o022),
  /** Group of the process that asks (`sg`, `newgrp`): the command's, where the scheduler names none and the user is in it. */
  gid: z.int().min(0).optional(),
  /** True when the command gets the middleware's standard input; else its own is empty. */
  input: z.boolean().default(false),
  /** Sources out of `mounts.allowed`. */
  mounts: z.array(absolutePathSchema).max(64),
  /** Names out of `devices.allowed`. */
  devices: deviceNamesSchema.default([]),
  /** Size of /dev/shm; absent: as the site has it. */
  shmBytes: shmBytesSchema.optional(),
});

/** What the middleware asks of `open-job`: the first line on its standard input. Written by a user: every byte is hostile. */
export const jobRequestSchema = requestShape.refine(
  ({ scheduler, schedulerJobId }) => isSchedulerJobId(scheduler, schedulerJobId),
  { error: 'is not a job id', path: ['schedulerJobId'] },
);
export type JobRequest = z.infer<typeof jobRequestSchema>;
