import { isCollection, isMap, isNode, isPair, isScalar, LineCounter, parseDocument } from 'yaml';
import type { Document, Pair } from 'yaml';

/** Where in the file's tree: names of keys and indexes of list items. */
export type SitePath = readonly (string | number)[];

/** Something wrong with the file; `line` counts from 1. */
export interface SiteProblem {
  readonly line: number;
  readonly path: SitePath;
  readonly message: string;
}

/** The file as plain values, with a way back from a value to its line. */
export interface SiteYaml {
  readonly value: unknown;
  readonly problems: readonly SiteProblem[];
  /** Line of the key at `path`, or of the nearest one above it that is there. */
  lineOf(path: SitePath): number;
}

/** Reads YAML 1.2 text; faults of syntax, duplicate keys among them, come back as problems. */
export function readSiteYaml(text: string): SiteYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, stringKeys: true });
  const problems = [...document.errors, ...document.warnings].map((fault) => ({
    line: lines.linePos(fault.pos[0]).line,
    path: [],
    message:
      fault.code === 'DUPLICATE_KEY' ? `the key ${keyAt(text, fault.pos[0])} stands twice` : firstLine(fault.message),
  }));
  const lineOf = (path: SitePath): number => lines.linePos(offsetOf(document, path)).line;
  if (problems.length > 0) return { value: undefined, problems, lineOf };
  try {
    return { value: document.toJS({ maxAliasCount: 100 }) as unknown, problems, lineOf };
  } catch (thrown) {
    // Aliases are only followed here: one to nothing, or so many that they would fill the memory.
    const message = firstLine(thrown instanceof Error ? thrown.message : String(thrown));
    return { value: undefined, problems: [{ line: 1, path: [], message }], lineOf };
  }
}

function offsetOf(document: Document, path: SitePath): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const step of path) {
    if (!isCollection(node)) break;
    const item: unknown = isMap(node)
      ? node.items.find((pair) => nameOf(pair) === String(step))
      : node.items[Number(step)];
    if (item === undefined) break;
    offset = startOf(isPair(item) ? item.key : item) ?? offset;
    node = isPair(item) ? item.value : item;
  }
  return offset;
}

function nameOf(pair: Pair): string {
  return String(isScalar(pair.key) ? pair.key.value : pair.key);
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

function keyAt(text: string, offset: number): string {
  return /^[^\n:]{0,80}/.exec(text.slice(offset))?.[0].trim() ?? '';
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? message;
}
