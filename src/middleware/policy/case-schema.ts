import * as z from 'zod';
import { listOf, oneOf, section, wholeNumber } from '../../config/site-fields.ts';

/** A user or group: a name, or digits with or without quotes, which mean a number wherever a site names one. */
function nameOrNumber(): z.ZodType<string, string | number> {
  const error = 'expected a name or a number';
  return z
    .union([z.string({ error }).regex(/^[^\s\p{Cc}]{1,256}$/u, { error }), z.int({ error }).min(0, { error })], {
      error,
    })
    .transform(String);
}

function anyText(expected: string, most = 4096): z.ZodString {
  const error = `expected ${expected}`;
  return z.string({ error }).max(most, { error });
}

/** What a case may ask for; all of it is judged as the options of a command line are. */
const request = {
  user: nameOrNumber().optional(),
  groups: listOf(nameOrNumber(), 'groups').optional(),
  partition: nameOrNumber().optional(),
  queue: nameOrNumber().optional(),
  hosts: wholeNumber(1, 65_536, 'hosts').optional(),
  application: anyText('a name of the catalogue').optional(),
  image: anyText('an image reference').optional(),
  workdir: anyText('a directory').optional(),
  mounts: listOf(anyText('a directory'), 'directories').optional(),
  devices: listOf(anyText('a name of devices'), 'names').optional(),
  environment: z
    .record(z.string(), anyText('a text (put numbers and true or false in quotes)', 128 * 1024), {
      error: 'expected names with values',
    })
    .optional(),
  shmSize: z
    .union([anyText('a size like 4g'), z.int()], { error: 'expected a size like 4g' })
    .transform(String)
    .optional(),
  command: z
    .union([anyText('words, or one text for a shell', 256 * 1024), listOf(anyText('words', 256 * 1024), 'words')], {
      error: 'expected a list of words, or one text for a shell',
    })
    .optional(),
  /** As on the command line: what is no option there is refused there, too. */
  options: listOf(anyText('options of the command line'), 'options of the command line').optional(),
};

const caseSchema = section({
  name: z
    .string({ error: 'expected one line of text' })
    .regex(/^\P{Cc}{1,200}$/u, { error: 'expected one line of text, of at most 200 characters' }),
  ...request,
  expect: oneOf('allowed', 'refused'),
  rule: anyText('a key of site.yaml, or the code of a refusal').optional(),
});
export type PolicyCase = z.infer<typeof caseSchema>;
const defaultsSchema = section(request);

/** A file of cases that a site keeps for its own policy. */
export const caseFileSchema = section({
  /** For all cases that do not say otherwise. */
  defaults: defaultsSchema.optional(),
  cases: z
    .array(caseSchema, { error: 'expected a list of cases' })
    .min(1, { error: 'expected a list of at least one case' }),
});

/** Names of the keys that may stand in a section of such a file. */
export function keysOfCases(path: readonly (string | number)[]): string[] {
  if (path.length === 0) return Object.keys(caseFileSchema.shape);
  if (path[0] === 'defaults') return Object.keys(defaultsSchema.shape);
  return Object.keys(caseSchema.shape);
}
