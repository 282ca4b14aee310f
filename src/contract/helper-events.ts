import * as z from 'zod';
import type { JobError } from '../values/errors.ts';
import { jobKeySchema } from './job-request.ts';
import { nodeUsageSchema } from './node-usage.ts';

/** Where a node stands; the value of its PHASE key. */
export const nodePhaseSchema = z.enum([
  'planned',
  'creating',
  'fetching',
  'discovering',
  'ready',
  'running',
  'suspended',
  'stopping',
  'released',
  'failed',
]);
export type NodePhase = z.infer<typeof nodePhaseSchema>;

/**
 * How the hosts of a job stand at its end. `done`: each has said that it is clean. `unsure`: one hangs, or the launcher may
 * still be starting a helper there that will find the job over. `untold`: the store is away, so none has heard of the end.
 */
const hostsEndSchema = z.enum(['done', 'unsure', 'untold']);
export type HostsEnd = z.infer<typeof hostsEndSchema>;

/** Signals that go to the job's command and do not end the job by themselves. */
export const forwardedSignalSchema = z.enum(['SIGUSR1', 'SIGUSR2']);
export type ForwardedSignal = z.infer<typeof forwardedSignalSchema>;

/** Whether a job is to stand still or to go on; the value of WANTED. */
export const wantedStateSchema = z.enum(['suspended', 'running']);
export type WantedState = z.infer<typeof wantedStateSchema>;

/** How a task of the launcher has ended that the kernel has killed since memory ran out, as `TaskEnd.how` tells it. */
export const killedForMemory = 'was killed (Out Of Memory)';

/** Who ended the job: its command, or one of our programs with an error code. */
export const jobEndSchema = z.discriminatedUnion('by', [
  z.strictObject({ by: z.literal('command'), exitStatus: z.number().int().min(0).max(255) }),
  z.strictObject({
    by: z.literal('middleware'),
    exitStatus: z.number().int().min(0).max(255),
    code: z.string(),
    message: z.string(),
    hint: z.string().optional(),
    rule: z.string().optional(),
  }),
]);
export type JobEnd = z.infer<typeof jobEndSchema>;

/** The end that an error means for a job. */
export function endByError({ exitStatus, code, message, hint, rule }: JobError): JobEnd {
  const more = { ...(hint === undefined ? {} : { hint }), ...(rule === undefined ? {} : { rule }) };
  return { by: 'middleware', exitStatus, code, message, ...more };
}

const usedByNodeSchema = nodeUsageSchema.extend({ index: z.number(), host: z.string() });
export type UsedByNode = z.infer<typeof usedByNodeSchema>;

/** JSON lines that `open-job` prints for the middleware, in this order; `node` and `note` may come at any time. */
export const helperEventSchema = z.discriminatedUnion('event', [
  z.strictObject({
    event: z.literal('opened'),
    job: jobKeySchema,
    image: z.string(),
    /** Unknown while no host that was asked has the image. */
    imageId: z.string().optional(),
    /** `repository@sha256:…`, where the image has one. */
    imageDigest: z.string().optional(),
    driver: z.string(),
    cidr: z.string(),
    /** Names out of `devices.allowed`. */
    devices: z.array(z.string()),
    nodes: z.array(z.strictObject({ index: z.number(), host: z.string(), ip: z.string(), slots: z.number() })),
  }),
  z.strictObject({ event: z.literal('node'), index: z.number(), host: z.string(), phase: nodePhaseSchema }),
  z.strictObject({ event: z.literal('note'), message: z.string() }),
  /** How far the hosts are that fetch the image; `total` grows while its layers become known. */
  z.strictObject({
    event: z.literal('fetching'),
    hosts: z.array(z.strictObject({ host: z.string(), bytes: z.number(), total: z.number() })).readonly(),
  }),
  /** Every container runs and has published its address and keys. */
  z.strictObject({ event: z.literal('gathered') }),
  /** Every node is READY; the command may start. */
  z.strictObject({ event: z.literal('ready') }),
  z.strictObject({ event: z.literal('finished'), end: jobEndSchema }),
  /** Last line. `leftovers` names what could not be taken away; empty when nothing is left. */
  z.strictObject({
    event: z.literal('released'),
    leftovers: z.array(z.string()).readonly(),
    hosts: hostsEndSchema,
    /** Of the nodes that could tell. */
    usage: z.array(usedByNodeSchema).readonly(),
  }),
  /** The job was not opened; nothing is left behind. Last line. */
  z.strictObject({
    event: z.literal('refused'),
    code: z.string(),
    message: z.string(),
    hint: z.string().optional(),
    /** The key of site.yaml that refused it. */
    rule: z.string().optional(),
    exitStatus: z.number(),
  }),
]);
export type HelperEvent = z.infer<typeof helperEventSchema>;
