/** Names in capitals → values without the quotes around them. */
export type Assignments = ReadonlyMap<string, string>;

/** A queue of lsb.queues, or a profile of lsb.applications. */
export interface Section {
  readonly name: string;
  readonly keywords: Assignments;
}

/** Lines `NAME = value`; `#` begins a comment line, a backslash at a line's end continues it. The last of a name counts. */
export function parseAssignments(text: string): Assignments {
  const found = new Map<string, string>();
  for (const line of text.replaceAll(/\\\r?\n/g, ' ').split('\n')) {
    const [, name, value] = /^\s*([A-Za-z]\w*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) found.set(name.toUpperCase(), value.replace(/^"(.*)"$/, '$1'));
  }
  return found;
}

/** `Begin <kind>` to `End <kind>`, each with the name that stands under `nameKey`. */
export function parseSections(text: string, kind: string, nameKey: string): readonly Section[] {
  const pattern = new RegExp(String.raw`^\s*Begin\s+${kind}\s*$([\s\S]*?)^\s*End\s+${kind}\s*$`, 'gim');
  return [...text.matchAll(pattern)].map(([, body = '']) => {
    const keywords = parseAssignments(body);
    return { name: keywords.get(nameKey) ?? '', keywords };
  });
}
