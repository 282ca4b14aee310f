import { parseArgs } from 'node:util';
import { JobError } from '../../values/errors.ts';
import { findNearestName } from '../../values/nearest-name.ts';
import type { HelperVerb, VerbCall } from './helper-verb.ts';

/** What a command line asks for. */
export type CommandLine =
  | { readonly kind: 'help'; readonly verb: HelperVerb | undefined }
  | { readonly kind: 'version' }
  | { readonly kind: 'call'; readonly verb: HelperVerb; readonly call: Pick<VerbCall, 'words' | 'options'> };

/** Node's parser takes its time with more, and nobody has so many files of records. */
const mostWords = 4096;

const seeHelp = 'See hpc-dockerjob-helper --help.';

/**
 * The verb, its words and its options; nothing is done yet. Fails with `USAGE` unless all of it is known and whole.
 * Node's own parser: a start of the helper is what every host of a job waits for.
 */
export function readCommandLine(argv: readonly string[], verbs: readonly HelperVerb[]): CommandLine {
  const [first, ...rest] = argv;
  if (first === undefined) throw refuseVerb(undefined, verbs);
  if (rest.length > mostWords) throw usage(`There are more than ${mostWords} words`);
  if (first === '--help' || first === '-h') return { kind: 'help', verb: undefined };
  if (first === '--version' || first === '-V') return { kind: 'version' };
  if (first.startsWith('-')) throw unknownOption(first, ['--help', '--version']);
  const verb = verbs.find(({ name }) => name === first);
  if (verb === undefined) throw refuseVerb(first, verbs);
  const { words, options, isHelp } = readWords(verb, rest);
  if (isHelp) return { kind: 'help', verb };
  requireWords(verb, words);
  return { kind: 'call', verb, call: { words, options } };
}

interface Words extends Pick<VerbCall, 'words' | 'options'> {
  readonly isHelp: boolean;
}

function readWords(verb: HelperVerb, argv: readonly string[]): Words {
  const known = Object.entries(verb.options);
  const { tokens } = parseArgs({
    args: [...argv],
    options: {
      help: { type: 'boolean', short: 'h' },
      ...Object.fromEntries(
        known.map(([name, { value }]) => [name, { type: value === undefined ? 'boolean' : 'string' }]),
      ),
    },
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const words: string[] = [];
  const options: Record<string, string | true> = {};
  let isHelp = false;
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    if (token.name === 'help' && token.value === undefined) isHelp = true;
    else options[token.name] = requireOption(verb, token);
  }
  return { words, options, isHelp };
}

function requireOption(
  verb: HelperVerb,
  { name, rawName, value }: { readonly name: string; readonly rawName: string; readonly value: string | undefined },
): string | true {
  const option = Object.hasOwn(verb.options, name) ? verb.options[name] : undefined;
  if (option === undefined)
    throw unknownOption(rawName, ['--help', ...Object.keys(verb.options).map((each) => `--${each}`)]);
  if (option.value === undefined && value !== undefined) throw usage(`Option --${name} takes no value`);
  if (option.value !== undefined && (value === undefined || value.startsWith('-')))
    throw usage(`Option '--${name} <${option.value}>' lacks its value`);
  return value ?? true;
}

function requireWords({ name, words: wanted }: HelperVerb, words: readonly string[]): void {
  const missing = wanted.filter(({ isOptional }) => isOptional !== true)[words.length];
  if (missing !== undefined) throw usage(`${name} lacks its word <${missing.name}>`);
  if (words.length > wanted.length && wanted.at(-1)?.isRepeated !== true)
    throw usage(`${name} takes ${wanted.length === 0 ? 'no' : `at most ${wanted.length}`} words, not ${words.length}`);
}

function unknownOption(option: string, known: readonly string[]): JobError {
  const nearest = findNearestName(option, known);
  return usage(`There is no option ${quote(option)}${nearest === undefined ? '' : ` (did you mean ${nearest}?)`}`);
}

function usage(fault: string): JobError {
  return new JobError({ code: 'USAGE', message: `${fault}.`, hint: seeHelp });
}

/** Whatever stands in the verb's place: there is nothing that the helper does without one. */
function refuseVerb(word: string | undefined, verbs: readonly HelperVerb[]): JobError {
  const names = verbs.map(({ name }) => name);
  const nearest = word === undefined ? undefined : findNearestName(word, names);
  const guess = nearest === undefined ? '' : `Did you mean "${nearest}"? `;
  return new JobError({
    code: 'USAGE',
    message: word === undefined ? 'The helper needs a verb.' : `${quote(word)} is no verb of the helper.`,
    hint: `${guess}Known: ${names.join(', ')}. ${seeHelp}`,
  });
}

const quote = (word: string): string => `"${word.slice(0, 60)}"`;
