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
    const [, name, value = ''] = /^\s*([A-Za-z]\w*)\s*=(.*)$/s.exec(line) ?? [];
    if (name !== undefined) found.set(name.toUpperCase(), value.trim().replace(/^"(.*)"$/, '$1'));
  }
  return found;
}

/** `Begin <kind>` to `End <kind>`, each with the name that stands under `nameKey`. */
export function parseSections(text: string, kind: string, nameKey: string): readonly Section[] {
  const sections: Section[] = [];
  let body: string[] | undefined;
  for (const line of text.split('\n')) {
    const mark = readMark(line, kind);
    if (mark === 'begin') body ??= [];
    else if (mark === undefined) body?.push(line);
    else if (body !== undefined) {
      const keywords = parseAssignments(body.join('\n'));
      sections.push({ name: keywords.get(nameKey) ?? '', keywords });
      body = undefined;
    }
  }
  return sections;
}

/** What the line says of a section of this kind, in whatever case. */
function readMark(line: string, kind: string): 'begin' | 'end' | undefined {
  const [mark, ofKind, more] = line.trim().toLowerCase().split(/\s+/, 3);
  if (ofKind !== kind.toLowerCase() || more !== undefined) return undefined;
  return mark === 'begin' || mark === 'end' ? mark : undefined;
}
