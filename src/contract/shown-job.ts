import * as z from 'zod';
import { nodePhaseSchema } from './helper-events.ts';
import { jobRecordSchema } from './job-record.ts';
import { jobKeySchema, schedulerSchema } from './job-request.ts';
import { nodeUsageSchema } from './node-usage.ts';

/**
 * Where a job as a whole stands. `starting`: containers are being made. `discovering`: they know each other's addresses and
 * test their links. `ready`: all wait for the batch script to give the command. `ending`: over, and being taken away.
 * `unknown`: something of it is on a host, but nobody who could tell more answers.
 */
export const jobPhaseSchema = z.enum(['starting', 'discovering', 'ready', 'running', 'suspended', 'ending', 'unknown']);
export type JobPhase = z.infer<typeof jobPhaseSchema>;

/** What a list of jobs says of one. Of a job in phase `unknown` only `job` and `note` are sure to be there. */
const shownFields = {
  job: jobKeySchema,
  phase: jobPhaseSchema,
  uid: z.number().int().optional(),
  /** As the host that opened the job knows the user. */
  user: z.string().optional(),
  image: z.string().optional(),
  application: z.string().optional(),
  /** Of the nodes, in their order. */
  hosts: z.array(z.string()),
  /** Kind of the job's network. */
  network: z.string().optional(),
  openedAt: z.iso.datetime().optional(),
  /** What is wrong with it, where something is. */
  note: z.string().optional(),
} as const;

export const shownJobSchema = z.strictObject(shownFields);
export type ShownJob = z.infer<typeof shownJobSchema>;

const shownNodeSchema = z.strictObject({
  index: z.number().int(),
  host: z.string(),
  /** Of its container, in the job's own network. */
  ip: z.string(),
  slots: z.number().int(),
  /** `lost`: its helper lives no more. */
  phase: z.enum([...nodePhaseSchema.options, 'lost']),
  /** `CODE: text` of what went wrong there. */
  error: z.string().optional(),
  /** Told at the job's end. */
  usage: nodeUsageSchema.optional(),
});
export type ShownNode = z.infer<typeof shownNodeSchema>;

/** All that `inspect` says of one job. */
export const inspectedJobSchema = z.strictObject({
  ...shownFields,
  scheduler: schedulerSchema.optional(),
  schedulerJobId: z.string().optional(),
  imageId: z.string().optional(),
  /** `repository@sha256:…` of an image of a registry. */
  imageDigest: z.string().optional(),
  /** A word each; of a text for a shell the text alone. */
  command: z.array(z.string()).optional(),
  workdir: z.string().optional(),
  subnet: z.string().optional(),
  mounts: z.array(z.string()).optional(),
  devices: z.array(z.string()).optional(),
  /** 0: as long as the scheduler lets it. */
  maxRunSeconds: z.number().int().optional(),
  nodes: z.array(shownNodeSchema),
  /** What the job waits for at this moment, and where; a sentence each. */
  waitsFor: z.array(z.string()),
  /** How it has ended, once it has. */
  end: z.strictObject({ exitStatus: z.number().int(), reason: z.string() }).optional(),
});
export type InspectedJob = z.infer<typeof inspectedJobSchema>;

/** JSON lines by which `show-jobs` answers: jobs as asked, and remarks on what could not be asked. */
export const shownLineSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('job'), job: shownJobSchema }),
  z.strictObject({ kind: z.literal('inspected'), job: inspectedJobSchema }),
  /** Of a job that is over. */
  z.strictObject({ kind: z.literal('record'), record: jobRecordSchema }),
  z.strictObject({ kind: z.literal('note'), message: z.string() }),
]);
export type ShownLine = z.infer<typeof shownLineSchema>;
