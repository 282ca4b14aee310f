import * as z from 'zod';

/** Lists that the engine may leave out or send as null. */
const texts = z
  .array(z.string())
  .nullish()
  .transform((found) => found ?? []);

/** An object that stands for a set, and may be left out. */
const keys = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((found) => Object.keys(found ?? {}));

/** `GET /images/NAME/json`, the fields that we use. */
export const imageAnswerSchema = z.object({
  Id: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  RepoDigests: texts,
  Size: z.number().nonnegative().catch(0),
  Architecture: z.string(),
  Os: z.string().default('linux'),
  Config: z.looseObject({ Env: texts, Volumes: keys, ExposedPorts: keys }).nullish(),
});

/** `GET /info`, the fields that we use. */
export const infoAnswerSchema = z.object({
  ServerVersion: z.string(),
  CgroupDriver: z.enum(['cgroupfs', 'systemd', 'none']).catch('none'),
  CgroupVersion: z.enum(['1', '2']).catch('1'),
  SecurityOptions: texts,
  DockerRootDir: z.string().startsWith('/').optional().catch(undefined),
});

/** `GET /distribution/NAME/json`, the fields that we use. */
export const distributionAnswerSchema = z.object({
  Descriptor: z.object({ digest: z.string().regex(/^sha256:[0-9a-f]{64}$/) }),
  Platforms: z
    .array(z.object({ architecture: z.string().max(64), os: z.string().max(64) }))
    .nullish()
    .transform((found) => found ?? []),
});

const byteCount = z.number().min(0).max(1e12);

/** A line of what `POST /images/create` says while it works. */
export const pullLineSchema = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  progressDetail: z.object({ current: byteCount.optional(), total: byteCount.optional() }).optional(),
  error: z.string().optional(),
});
