import * as z from 'zod';
import { JobError } from '../values/errors.ts';

/**
 * JSON lines between `connectLocalStore` and `serveStore`: requests with an id, answers with the same id, and
 * events without one. Both ends are root's; still every line is parsed and has a limit.
 */
export const maxLineBytes = 64 * 1024 * 1024;

const id = z.number().int().min(1);
const key = z.string().min(1);
const range = z.strictObject({ start: z.string(), end: z.string() });

const condition = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('absent'), key }),
  z.strictObject({ kind: z.literal('present'), key }),
  z.strictObject({ kind: z.literal('value'), key, equals: z.string() }),
]);

export const requestSchema = z.discriminatedUnion('call', [
  z.strictObject({ id, call: z.literal('read'), range }),
  z.strictObject({
    id,
    call: z.literal('commit'),
    conditions: z.array(condition),
    puts: z.array(z.strictObject({ key, value: z.string(), leaseId: z.string().optional() })),
    deletes: z.array(range),
  }),
  z.strictObject({ id, call: z.literal('grantLease'), ttlSeconds: z.number().positive() }),
  z.strictObject({ id, call: z.literal('revokeLease'), leaseId: z.string() }),
  z.strictObject({ id, call: z.literal('watch'), range }),
  z.strictObject({ id, call: z.literal('unwatch'), watchId: id }),
]);
export type Request = z.infer<typeof requestSchema>;

/** Not strict: a server of an earlier release says more of each. */
const entry = z.object({ key: z.string(), value: z.string() });
const failure = z.strictObject({ code: z.string(), message: z.string(), hint: z.string().optional() });

export const answerSchema = z.union([
  z.strictObject({ id, entries: z.array(entry) }),
  z.strictObject({ id, committed: z.boolean() }),
  z.strictObject({ id, leaseId: z.string() }),
  z.strictObject({ id, done: z.literal(true) }),
  z.strictObject({ id, error: failure }),
  /** Something changed in the range of that `watch` request. */
  z.strictObject({ hint: id }),
  z.strictObject({ lostLease: z.string() }),
]);
export type Answer = z.infer<typeof answerSchema>;
export type Failure = z.infer<typeof failure>;

/** An error as it crosses the socket. */
export function toFailure(thrown: unknown): Failure {
  if (thrown instanceof JobError) return { code: thrown.code, message: thrown.message, hint: thrown.hint };
  return { code: 'BUG', message: thrown instanceof Error ? thrown.message : String(thrown) };
}
