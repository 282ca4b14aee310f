/**
 * The text behind the first simple command of a shell line: LSF puts the job starter before the first one only, so the rest
 * would run on the host itself. Undefined when there is no second one. Looks at quotes, escapes and substitutions as a shell does.
 */
export function findSecondCommand(line: string): string | undefined {
  let depth = 0;
  for (let at = 0; at < line.length; at += 1) {
    const letter = line[at] ?? '';
    if (letter === '\\') at += 1;
    else if (letter === "'" || letter === '"' || letter === '`') at = endOfQuote(line, at);
    else if (letter === '(') depth += 1;
    else if (letter === ')') depth = Math.max(0, depth - 1);
    else if (depth === 0 && separates(line, at)) return restOf(line, at);
  }
  return undefined;
}

/** Index of the quote that closes the one at `start`; of the last letter where none does. */
function endOfQuote(line: string, start: number): number {
  const quote = line[start];
  for (let at = start + 1; at < line.length; at += 1) {
    if (line[at] === '\\' && quote !== "'") at += 1;
    else if (line[at] === quote) return at;
  }
  return line.length;
}

/** `2>&1`, `&>file` and `>|file` are redirections of the first command. */
function separates(line: string, at: number): boolean {
  const [before, letter, after] = [line[at - 1] ?? '', line[at] ?? '', line[at + 1] ?? ''];
  if (letter === ';' || letter === '\n') return true;
  if (letter === '&') return !/[<>]/.test(before) && after !== '>';
  return letter === '|' && before !== '>';
}

/** Undefined when nothing follows: `a;` is one command, though `a &` runs in the background. */
function restOf(line: string, at: number): string | undefined {
  const rest = line.slice(at).replace(/^[;&|\s]+/, '');
  return rest === '' || rest.startsWith('#') ? undefined : rest;
}
