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
});
