/** Variables as a job may have them. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** What was asked for of a job's environment. */
export interface ExportWish {
  /** `--export`. */
  readonly list: string | undefined;
  /** The variables of `--export-file`, which stand in the place of the submitter's. */
  readonly file?: Variables | undefined;
}

/**
 * The environment that a job's script will have, as Slurm 22.05 makes it: the submitter's where `--export` is silent, and with
 * `ALL`; nothing with `NONE` or `NIL`; else the variables that it names. `NAME=VALUE` sets one.
 */
export function exportEnvironment(environment: Variables, { list = '', file }: ExportWish): Variables {
  const entries = splitExportList(list);
  // In any letters, as Slurm takes these words.
  const words = entries.map((entry) => entry.toUpperCase());
  if (entries.length === 1 && (words[0] === 'NONE' || words[0] === 'NIL')) return {};
  const isWhole = entries.length === 0 || words.includes('ALL');
  const result = new Map(Object.entries(file ?? (isWhole ? environment : {})));
  for (const entry of entries) {
    const at = entry.indexOf('=');
    if (at > 0) result.set(entry.slice(0, at), entry.slice(at + 1));
    else if (file === undefined && Object.hasOwn(environment, entry)) result.set(entry, environment[entry]);
  }
  return toVariables(result);
}

/** Parts between commas. In quotes a comma is a part's own; the quotes stay, as Slurm leaves them. */
export function splitExportList(list: string): readonly string[] {
  const parts: string[] = [];
  let [quote, start] = ['', 0];
  for (let at = 0; at <= list.length; at += 1) {
    const letter = list[at] ?? '';
    if (letter === '' || (quote === '' && letter === ',')) {
      parts.push(list.slice(start, at));
      start = at + 1;
    } else if (quote === '' && (letter === "'" || letter === '"')) quote = letter;
    else if (letter === quote) quote = '';
  }
  return parts.filter((part) => part !== '');
}

/** The variables of a file as `--export-file` takes it: `NAME=VALUE`, each ended by a zero byte. */
export function parseExportFile(text: string): Variables {
  const pairs = text.split('\0').map((entry): [string, string] => {
    const at = entry.indexOf('=');
    return at < 1 ? ['', ''] : [entry.slice(0, at), entry.slice(at + 1)];
  });
  return toVariables(new Map(pairs.filter(([name]) => name !== '')));
}

/** Without a prototype: no name of a variable reaches an object's own parts. */
function toVariables(pairs: ReadonlyMap<string, string | undefined>): Variables {
  const result = Object.create(null) as Record<string, string | undefined>;
  for (const [name, value] of pairs) result[name] = value;
  return result;
}
