/** One word of `bsub -a "one two(a,b)"`. */
export interface NamedEsub {
  readonly name: string;
  /** What stands in its parentheses; undefined where it has none, or where they are not closed (`isBroken`). */
  readonly words?: readonly string[];
  /** True for parentheses that do not end, or end before they begin: nobody can say what is meant. */
  readonly isBroken?: true;
}

/**
 * The names of LSB_SUB_ADDITIONAL with their arguments, as IBM documents `bsub -a`: blanks between names, arguments in
 * parentheses with commas between them, blanks around each allowed, `\` before a letter that is meant as it is.
 */
export function parseEsubNames(text: string): readonly NamedEsub[] {
  const found: NamedEsub[] = [];
  let at = 0;
  while (at < text.length) {
    const rest = text.slice(at);
    const [blanks] = /^\s*/.exec(rest) ?? [''];
    const name = /^[^\s()]*/.exec(rest.slice(blanks.length))?.[0] ?? '';
    at += blanks.length + name.length;
    const gap = /^\s*\(/.exec(text.slice(at))?.[0];
    if (gap !== undefined) {
      const { words, end } = readWords(text, at + gap.length);
      found.push(words === undefined ? { name, isBroken: true } : { name, words });
      at = end;
    } else if (name !== '') found.push({ name });
    else if (at < text.length) {
      // A parenthesis that nothing has opened.
      const last = found.pop();
      found.push({ name: last?.name ?? '', isBroken: true });
      at += 1;
    }
  }
  return found;
}

/** Words up to the closing parenthesis, and the place behind it; no words when there is none. `()` has no word. */
function readWords(text: string, start: number): { readonly words?: readonly string[]; readonly end: number } {
  const words: string[] = [];
  let word = '';
  let at = start;
  for (; at < text.length; at += 1) {
    const letter = text[at] ?? '';
    if (letter === '\\' && at + 1 < text.length) {
      at += 1;
      word += text[at] ?? '';
    } else if (letter === ',' || letter === ')') {
      words.push(word.trim());
      word = '';
      if (letter === ')') return { words: words.length === 1 && words[0] === '' ? [] : words, end: at + 1 };
    } else if (letter === '(') break;
    else word += letter;
  }
  return { end: text.length };
}
