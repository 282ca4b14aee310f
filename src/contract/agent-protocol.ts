import * as z from 'zod';
import {
  commandSchema,
  environmentSchema,
  hostNameSchema,
  jobKeySchema,
  plannedCommandSchema,
  umaskSchema,
} from './job-request.ts';

/**
 * JSON lines between the agent in a container and its own host's helper, over one Unix socket.
 * The helper takes one connection, the first, before any code of the user has run; still it treats
 * every byte as hostile: user code in the container has the agent's uid. A line has at most `maxLineBytes`.
 */
export const maxLineBytes = 64 * 1024;

/** `ssh-ed25519 AAAA…`: one line, no options, no comment. */
export const publicKeySchema = z.string().regex(/^ssh-ed25519 [A-Za-z0-9+/]{68}$/, 'is not an ed25519 public key');

const place = {
  index: z.number().int().min(0),
  hostname: z.string(),
  /** The host under its container, by the scheduler's name. */
  host: hostNameSchema.optional(),
  ip: z.ipv4(),
  slots: z.number().int().min(1),
};
const keys = { sshPublicKey: publicKeySchema, hostPublicKey: publicKeySchema };

/** All nodes of the job in order with their keys: what the keeper publishes as ROSTER, see `formatRoster`. */
export const rosterSchema = z.array(z.strictObject({ ...place, ...keys })).min(1);

/** A node as another one knows it: in a large job not all keys are known everywhere. */
const peerSchema = z.strictObject({
  ...place,
  sshPublicKey: publicKeySchema.optional(),
  hostPublicKey: publicKeySchema.optional(),
});
export type Peer = z.infer<typeof peerSchema>;

/** All nodes of the job in order. */
export type Roster = readonly Peer[];

export const peerKeysSchema = z.strictObject({ index: place.index, ...keys });
export type PeerKeys = z.infer<typeof peerKeysSchema>;

/** From the agent. */
export const agentMessageSchema = z.discriminatedUnion('type', [
  /** First line: the keys it made; their private halves never leave the container. */
  z.strictObject({ type: z.literal('hello'), sshPublicKey: publicKeySchema, hostPublicKey: publicKeySchema }),
  /** Files written, own SSH server listening, the links that the launcher will use tested. */
  z.strictObject({ type: z.literal('ready') }),
  /** The master's command has been started. */
  z.strictObject({ type: z.literal('started') }),
  /** The master's command has ended; 128 + n for a signal, as a shell says it. */
  z.strictObject({ type: z.literal('exited'), exitStatus: z.number().int().min(0).max(255) }),
  /** It cannot go on; `message` is for people and is cut and cleaned before it is shown. */
  z.strictObject({
    type: z.literal('failed'),
    code: z.enum(['WORKDIR_UNUSABLE', 'IMAGE_UNUSABLE', 'NODE_LATE', 'NODE_LOST', 'BUG']),
    message: z.string().max(2000),
  }),
  /** Wants the keys of that node, or of all; of a few single ones each is answered once, from then on by those of all. */
  z.strictObject({ type: z.literal('ask'), index: place.index.optional() }),
  /** A remark for the user that does not end the job. */
  z.strictObject({ type: z.literal('note'), message: z.string().max(2000) }),
]);
export type AgentMessage = z.infer<typeof agentMessageSchema>;

/** From the helper. */
export const helperMessageSchema = z.discriminatedUnion('type', [
  /** Answers `hello` once the network is attached: everything that this node needs to know. */
  z.strictObject({
    type: z.literal('welcome'),
    job: jobKeySchema,
    index: z.number().int(),
    nodeCount: z.number().int(),
    hostname: z.string(),
    ip: z.ipv4(),
    interfaceName: z.string(),
    sshPort: z.number().int(),
    command: plannedCommandSchema,
    workdir: z.string(),
    home: z.string(),
    environment: environmentSchema,
    /** For the command and every process that `ssh` starts. */
    umask: umaskSchema,
    /** True when this node's command has a standard input. */
    input: z.boolean(),
    hostfile: z.string().optional(),
    discoverDeadlineMs: z.number(),
    /** How long the other hosts may take to fetch the image. */
    fetchDeadlineMs: z.number().optional(),
    /** How long a command that comes later may take to come; 0 when it is here. */
    commandDeadlineMs: z.number(),
    stopGraceMs: z.number(),
  }),
  z.strictObject({ type: z.literal('roster'), peers: z.array(peerSchema).min(1) }),
  /** Answers `ask`. */
  z.strictObject({ type: z.literal('keys'), peers: z.array(peerKeysSchema) }),
  /** All nodes are ready: the master runs the command, the others serve. Of a command that came later only the master is told. */
  z.strictObject({
    type: z.literal('start'),
    command: commandSchema.optional(),
    environment: environmentSchema.optional(),
    umask: umaskSchema.optional(),
  }),
  /** For the master's command. */
  z.strictObject({ type: z.literal('signal'), signal: z.enum(['SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2']) }),
  /** The job is over: end yourself. */
  z.strictObject({ type: z.literal('finish') }),
]);
export type HelperMessage = z.infer<typeof helperMessageSchema>;
