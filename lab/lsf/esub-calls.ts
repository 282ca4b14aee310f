/** `bsub -a "one two(a,b)"`, as IBM documents it. Pure. */

export interface EsubCall {
  readonly name: string;
  /** Empty without parentheses. */
  readonly argv: readonly string[];
}

const call = /([^\s()]+)(?:\s*\(((?:\\.|[^()\\])*)\))?/gs;

/**
 * The esubs that `-a` names, each with what stands in its parentheses: commas part the arguments, blanks around them do
 * not count, a backslash keeps the next letter as it is. Variables and commands in them are not filled in.
 */
export function readEsubCalls(additional: string): readonly EsubCall[] {
  return [...additional.matchAll(call)].map(([, name = '', words]) => ({
    name,
    argv: words === undefined || words.trim() === '' ? [] : splitWords(words),
  }));
}

function splitWords(text: string): string[] {
  return [...`${text},`.matchAll(/((?:\\.|[^,\\])*),/gs)].map(([, word = '']) =>
    word.trim().replaceAll(/\\(.)/gs, '$1'),
  );
}
