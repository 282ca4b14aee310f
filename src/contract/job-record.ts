import * as z from 'zod';
import { jobKeySchema, schedulerSchema } from './job-request.ts';
import { nodeUsageSchema } from './node-usage.ts';

/** Hosts that a record names; of a larger job the first. */
export const mostRecordedHosts = 256;

/** One line of a host's records of jobs: a job that was opened, and how it ended. Nothing of its environment is in it. */
export const jobRecordSchema = z.strictObject({
  version: z.literal(1),
  job: jobKeySchema,
  scheduler: schedulerSchema,
  schedulerJobId: z.string(),
  uid: z.number().int(),
  user: z.string(),
  /** As it was asked for. */
  image: z.string(),
  /** What it was then: `sha256:…`; absent when the first host had yet to fetch it. */
  imageId: z.string().optional(),
  /** `repository@sha256:…` of an image of a registry. */
  imageDigest: z.string().optional(),
  application: z.string().optional(),
  /** First word of the command, or the first of a text for a shell. */
  program: z.string().optional(),
  workdir: z.string(),
  network: z.string(),
  /** At most `mostRecordedHosts`. */
  hosts: z.array(z.string()),
  hostCount: z.number().int(),
  slots: z.number().int(),
  openedAt: z.iso.datetime(),
  /** When its keeper knew the end. */
  endedAt: z.iso.datetime(),
  /** Milliseconds after `openedAt`, of what was reached. */
  phaseTimesMs: z.strictObject({
    gathered: z.number().int().optional(),
    ready: z.number().int().optional(),
    finished: z.number().int(),
    released: z.number().int(),
  }),
  /** 0 to 255, as the scheduler gets it. */
  exitStatus: z.number().int(),
  /** Who ended it. */
  endedBy: z.enum(['command', 'middleware']),
  /** Of an end that is not the command's. */
  code: z.string().optional(),
  reason: z.string().optional(),
  /** CPU time of all containers, and the most memory that one of them has used. */
  usage: nodeUsageSchema,
  /** What could not be taken away. */
  leftovers: z.array(z.string()),
});
export type JobRecord = z.infer<typeof jobRecordSchema>;
