import * as z from 'zod';

/**
 * The kinds of values in site.yaml. Each has one text that says what is expected; the reader of a wrong file gets
 * `expected <that>, got <what stands there>` (describe-issue.ts).
 */

export function text(pattern: RegExp, expected: string): z.ZodString {
  const error = `expected ${expected}`;
  return z.string({ error }).regex(pattern, { error });
}

export function wholeNumber(min: number, max: number, unit: string): z.ZodInt {
  const error = `expected ${unit === '' ? 'a whole number' : `whole ${unit}`} from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** Bytes or the like, with -1 for no limit. */
export function limitOf(min: number, unit: string): z.ZodInt {
  const error = `expected -1 (no limit) or at least ${min} ${unit}`;
  return z
    .int({ error })
    .min(-1, { error })
    .refine((value) => value === -1 || value >= min, { error });
}

export function yesOrNo(): z.ZodBoolean {
  return z.boolean({ error: 'expected true or false' });
}

export function oneOf<const Names extends readonly [string, ...string[]]>(
  ...names: Names
): z.ZodEnum<{ [N in Names[number]]: N }> {
  const known = names.map((name) => name || '""').join(', ');
  return z.enum(names, { error: names.length === 1 ? `expected ${known}` : `expected one of ${known}` });
}

/** Absolute and in normal form: what is compared with it later can be compared as text. */
const pathPattern = /^\/(?:(?!\.{1,2}(?:\/|$))[^/\p{Cc}]+\/)*(?!\.{1,2}$)[^/\p{Cc}]+$/u;
const pathExpectation = 'an absolute path without ".", ".." and "/" at its end';

export function absolutePath(): z.ZodString {
  return text(pathPattern, pathExpectation);
}

/** An absolute path or nothing. */
export function optionalPath(): z.ZodString {
  return text(new RegExp(`^$|${pathPattern.source}`, 'u'), `"" or ${pathExpectation}`);
}

export function listOf<Item extends z.ZodType>(item: Item, what: string): z.ZodArray<Item> {
  return z.array(item, { error: `expected a list of ${what}` });
}

export function section<Shape extends z.core.$ZodLooseShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    // Unknown keys have a message of their own.
    error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : 'expected a section of keys'),
  });
}
