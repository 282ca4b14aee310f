import { foldText } from '../../values/fold-text.ts';
import type { HelperVerb } from './helper-verb.ts';

const program = 'hpc-dockerjob-helper';
const lineWidth = 100;

/** The help of the program, or of one verb. */
export function writeHelp(verb: HelperVerb | undefined, verbs: readonly HelperVerb[]): string {
  return verb === undefined ? helpOfAll(verbs) : helpOfVerb(verb);
}

function helpOfAll(verbs: readonly HelperVerb[]): string {
  return [
    `Usage: ${program} VERB [WORDS]`,
    '',
    ...foldText(
      'Root side of hpc-submit-dockerjob: called by it through one sudo rule, and by root hooks of the scheduler.',
      lineWidth,
    ),
    '',
    'Verbs:',
    ...table(verbs.map((verb) => [usageOf(verb), verb.does])),
    '',
    'Options:',
    ...table([
      ['--help', `this text; after a verb, what it takes`],
      ['--version', 'the version of the installed package'],
    ]),
    '',
  ].join('\n');
}

function helpOfVerb(verb: HelperVerb): string {
  const options = Object.entries(verb.options).map(([name, { value, meaning }]): Row => [
    value === undefined ? `--${name}` : `--${name} <${value}>`,
    meaning,
  ]);
  const words = verb.words.map(({ name, meaning }): Row => [`<${name}>`, meaning]);
  const rows = [...words, ...options];
  return [
    `Usage: ${program} ${usageOf(verb)}`,
    '',
    ...foldText(verb.does, lineWidth),
    ...(rows.length > 0 ? [''] : []),
    ...table(rows),
    '',
  ].join('\n');
}

/** The verb with what it takes, as one line. */
export function usageOf({ name, words, options }: HelperVerb): string {
  const takes = words.map(({ name: word, isOptional, isRepeated }) => {
    const shown = `<${word}>${isRepeated === true ? '...' : ''}`;
    return isOptional === true ? `[${shown}]` : shown;
  });
  return [name, ...(Object.keys(options).length > 0 ? ['[options]'] : []), ...takes].join(' ');
}

type Row = readonly [left: string, right: string];

function table(rows: readonly Row[]): readonly string[] {
  const indent = Math.max(0, ...rows.map(([left]) => left.length)) + 4;
  return rows.flatMap(([left, right]) => {
    const [first = '', ...more] = foldText(right, lineWidth - indent);
    return [`  ${left}`.padEnd(indent) + first, ...more.map((line) => ' '.repeat(indent) + line)];
  });
}
