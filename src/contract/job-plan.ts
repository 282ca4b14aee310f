import * as z from 'zod';
import { networkNames, plannedShape } from '../network/known-networks.ts';
import { formatPinned, parseImageReference } from '../values/image-reference.ts';
import { isSchedulerJobId } from './schedulers.ts';
import {
  absolutePathSchema,
  deviceNamesSchema,
  environmentSchema,
  hostNameSchema,
  launchIdSchema,
  jobKeySchema,
  plannedCommandSchema,
  schedulerSchema,
  shmBytesSchema,
  umaskSchema,
} from './job-request.ts';

const ipv4 = z.ipv4();
const sha256 = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const macAddress = z.string().regex(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/);

const mountSchema = z.strictObject({
  source: absolutePathSchema,
  target: absolutePathSchema,
  readOnly: z.boolean(),
});

const plannedNodeSchema = z.strictObject({
  index: z.number().int().min(0),
  host: hostNameSchema,
  /** Address of the host itself, where the other hosts reach it; absent for a job on one host. */
  hostAddress: ipv4.optional(),
  slots: z.number().int().min(1),
  /** Address and MAC address of the container. */
  ip: ipv4,
  mac: macAddress,
});
export type PlannedNode = z.infer<typeof plannedNodeSchema>;

const planShape = z.strictObject({
  version: z.literal(1),
  /** Random; tells this run of the job from any other of the same id. */
  token: z.string().regex(/^[0-9a-f]{32}$/),
  launchId: launchIdSchema,
  /** True when an earlier run of the same job has left its keys: each host first takes away what it has of that. */
  takesOver: z.literal(true).optional(),
  job: jobKeySchema,
  scheduler: schedulerSchema,
  schedulerJobId: z.string(),
  openedAt: z.iso.datetime(),
  user: z.strictObject({
    name: z.string(),
    uid: z.number().int().min(1),
    gid: z.number().int().min(0),
    home: z.string(),
    groups: z.array(z.strictObject({ gid: z.number().int().min(0), name: z.string() })),
  }),
  image: z.strictObject({
    /** As it was asked for. */
    reference: z.string(),
    /** Of the image's configuration; absent when the first host had yet to fetch it. */
    id: sha256.optional(),
    /** Of its manifest, as the registry knows it: what every host runs, whatever the tag means by then. */
    digest: sha256.optional(),
  }),
  application: z.string().optional(),
  command: plannedCommandSchema,
  workdir: absolutePathSchema,
  /** Set for the command and the ranks, over the image's own. */
  environment: environmentSchema,
  /** Variables of the user's own for an image that was not seen yet: each host passes on those that the image leaves open. */
  offered: environmentSchema.optional(),
  /** Of the command and the ranks. */
  umask: umaskSchema.default(0o022),
  /** True when node 0 has a pipe for the command's standard input. */
  input: z.boolean().default(false),
  /** Below the workdir; where the application wants the host file. */
  hostfile: z.string().optional(),
  mounts: z.array(mountSchema),
  /** Names out of `devices.allowed`: which nodes these are each host finds for itself. */
  devices: deviceNamesSchema.default([]),
  /** Absent: as site.yaml of each host has it. */
  shmBytes: shmBytesSchema.optional(),
  network: z.strictObject({
    driver: z.enum(networkNames),
    cidr: z.cidrv4(),
    ...plannedShape,
    /** Bytes; 0 = the host's link less the driver's overhead. */
    mtu: z.number().int().min(0),
  }),
  nodes: z.array(plannedNodeSchema).min(1),
  sshPort: z.number().int(),
  /** 0 = only the scheduler's limit. */
  maxRunSeconds: z.number().int().min(0),
});

/** What `open-job` decided after checking it: written once, under /<job>/PLAN; `run-node` follows it and nothing else. */
export const jobPlanSchema = planShape
  .refine(({ scheduler, schedulerJobId }) => isSchedulerJobId(scheduler, schedulerJobId), {
    error: 'is not a job id',
    path: ['schedulerJobId'],
  })
  .refine(({ image }) => image.id !== undefined || image.digest !== undefined, {
    error: 'has neither id nor digest',
    path: ['image'],
  });
export type JobPlan = z.infer<typeof jobPlanSchema>;

/** Which image a plan runs, as far as it was known when the job was opened: what people and programs are told. */
export function describePlannedImage({ reference, id, digest }: JobPlan['image']): {
  readonly imageId?: string;
  readonly imageDigest?: string;
} {
  const pinned = digest === undefined ? undefined : findPinned(reference, digest);
  return {
    ...(id === undefined ? {} : { imageId: id }),
    ...(pinned === undefined ? {} : { imageDigest: pinned }),
  };
}

/** Whoever lists jobs meets plans of others, which need not be right. */
function findPinned(reference: string, digest: string): string | undefined {
  try {
    return formatPinned(parseImageReference(reference), digest);
  } catch {
    return undefined;
  }
}
