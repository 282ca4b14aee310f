import fc from 'fast-check';
import { describe, it } from 'vitest';
import { isDeepStrictEqual } from 'node:util';
import { isErrorCode, JobError } from '../../src/values/errors.ts';
import type { ErrorCode } from '../../src/values/errors.ts';

/** A parser of bytes that somebody else writes, with what must hold whatever they are. */
export interface HostileParser {
  /** `folder/file#function`, below src: the list of all parsers is compared with the source. */
  readonly name: string;
  /** What the parser is made for. Attacks are these with changes, and a few bytes of no form at all. */
  readonly seeds: readonly string[];
  /** Words of this parser's language that a change may put anywhere. */
  readonly words?: readonly string[];
  /** Seeds are JSON: values, keys and whole branches are changed as well. */
  readonly isJson?: boolean;
  /** Calls the parser. What it throws is a fault, and so is what it does not come back from. */
  readonly hold: (text: string) => void;
  /** Where the bytes are bounded before they come to the parser. */
  readonly mostBytes?: number;
  /** Fewer tries for what costs much and reads nobody's words but root's. */
  readonly tries?: number;
}

/** How often each parser is tried. */
const numRuns = 10_000;
/** The same inputs at every run, so that nobody's change fails of an old fault; HPCDJ_SEED gives others. */
export const seed = Number(process.env['HPCDJ_SEED'] ?? 1);

const anyWords = [
  ...['\0', '\n', '\r', '\r\n', '\t', '\u0085', '\u2028', '\u2029', '\u001b[2J', '\u202e', '\ufeff', '\u00a0'],
  ...['..', '/../', '/./', '//', '/', '.', '-', '--', '-o', '=', ':', ',', ';', '|', '&', '*', '?', '%', '@', '#', '+'],
  ...['[', ']', '{', '}', '(', ')', '<', '>', '"', "'", '\\', '$', '`', '$(id)', '_', ' ', '    '],
  ...['0', '00', '-1', '1e999', '0x10', '4294967296', '9'.repeat(25), '0.5', 'NaN', 'null', 'true', 'Infinity'],
  ...['__proto__', 'constructor', 'toString', 'root', 'é', '\u212a', '😀', '\ud800', '\udc00', 'a'.repeat(300)],
  ...['['.repeat(60), '('.repeat(60), '\ufffd'],
];

/** One change: what is done, where, how much, and with which word. */
type Change = readonly [kind: number, at: number, length: number, word: number];
const change: fc.Arbitrary<Change> = fc.tuple(fc.nat(6), fc.nat(9999), fc.nat(40), fc.nat(9999));

function apply(text: string, [kind, place, length, pick]: Change, words: readonly string[]): string {
  const at = place % (text.length + 1);
  const [before, after] = [text.slice(0, at), text.slice(at)];
  const word = words[pick % words.length] ?? '';
  if (kind < 3) return `${before}${word}${after}`;
  if (kind === 3) return `${before}${after.slice(length)}`;
  if (kind === 4) return `${before}${after.slice(0, length)}${after}`;
  if (kind === 5) return `${before}${word}${after.slice(word.length)}`;
  return before;
}

/** Text that begins as one of the seeds, and sometimes bytes of no form. */
function hostileText({ seeds, words = [] }: HostileParser): fc.Arbitrary<string> {
  const all = [...anyWords, ...words, ...words, ...words];
  const changed = fc
    .tuple(fc.constantFrom(...seeds), fc.array(change, { maxLength: 4 }))
    .map(([seed, changes]) => changes.reduce((text, each) => apply(text, each, all), seed));
  return fc.oneof(
    { weight: 7, arbitrary: changed },
    { weight: 1, arbitrary: fc.array(fc.constantFrom(...all), { maxLength: 8 }).map((parts) => parts.join('')) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString()) },
  );
}

const nested = (levels: number): unknown => {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
};
const anyValues: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1.5, 1e308, 4294967296, 9007199254740993, [], {}, [[]], { a: 1 }, nested(80)],
  ...['', ' ', '..', '/', '/..', '/a/../b', '-rf', '\0', 'a\nb', 'a\rb', '\u2028', '\ud800', '__proto__', '1'],
  ...['x'.repeat(5000), 'a'.repeat(256), ['x'], ['x', 'x'], [null], { length: 3 }, 'SIGKILL', '😀'.repeat(100)],
];
const anyKeys = ['§', 'constructor', 'toString', 'uid', 'x', '', 'a\nb'];

/** Where something may be changed in a document of JSON. */
function placesOf(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => placesOf(inner, [...path, key]))];
}

/** Replaces, removes, doubles or adds something at one place of a document. */
function changeJson(document: unknown, [kind, place, length, pick]: Change): unknown {
  const paths = placesOf(document);
  const path = paths[place % paths.length] ?? [];
  const last = path.at(-1);
  const value = structuredClone(anyValues[pick % anyValues.length]);
  if (last === undefined) return kind === 0 ? value : addKey(document, length, value);
  const parent = path.slice(0, -1).reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], document);
  const holder = parent as Record<string, unknown>;
  if (kind < 3) holder[last] = value;
  else if (kind === 3) Reflect.deleteProperty(holder, last);
  else if (kind === 4 && Array.isArray(parent)) parent.push(structuredClone(holder[last]));
  else addKey(holder[last] ?? holder, length, value);
  return document;
}

function addKey(target: unknown, pick: number, value: unknown): unknown {
  if (typeof target === 'object' && target !== null && !Array.isArray(target))
    (target as Record<string, unknown>)[anyKeys[pick % anyKeys.length] ?? ''] = value;
  return target;
}

/** JSON that begins as one of the seeds, changed as a tree, as text, or both. */
function hostileJson(parser: HostileParser): fc.Arbitrary<string> {
  const asTree = fc
    .tuple(fc.constantFrom(...parser.seeds), fc.array(change, { minLength: 1, maxLength: 3 }))
    .map(([seed, changes]) =>
      JSON.stringify(changes.reduce<unknown>(changeJson, JSON.parse(seed))).replaceAll('"§"', '"__proto__"'),
    );
  return fc.oneof({ weight: 3, arbitrary: asTree }, { weight: 1, arbitrary: hostileText(parser) });
}

/** The text for this parser, as an attacker would write it. */
export function hostile(parser: HostileParser): fc.Arbitrary<string> {
  return parser.isJson === true ? hostileJson(parser) : hostileText(parser);
}

/** For a machine that has other work as well. */
const timeoutMs = 120_000;

/** Tries each parser with hostile text, and with long ones in which one word is said again and again. */
export function describeParsers(title: string, parsers: readonly HostileParser[]): void {
  describe(title, () => {
    it.each(parsers.map((parser) => ({ ...parser })))(
      '$name holds',
      (parser) => {
        fc.assert(fc.property(hostile(parser), parser.hold), { numRuns: parser.tries ?? numRuns, seed });
      },
      timeoutMs,
    );
    it.each(parsers.map((parser) => ({ ...parser })))(
      '$name does work in proportion to the bytes',
      (parser) => {
        for (const text of repetitions(parser)) requireProportion(text, parser);
      },
      timeoutMs,
    );
  });
}

const shortLength = 2000;
const longLength = 48_000;
const mostSeedWords = 12;

/** A word of the language again and again: behind the beginning of a seed, so that the parser is in the middle of something. */
function repetitions({ seeds, words = [] }: HostileParser): readonly ((length: number) => string)[] {
  const [seed = ''] = seeds;
  const beginnings = ['', seed, seed.slice(0, Math.ceil(seed.length / 2))];
  const ofSeed = seed.split(/\b/).slice(0, mostSeedWords);
  const parts = [...new Set([...anyWords, ...words, seed, ...ofSeed])];
  return parts
    .filter((part) => part !== '' && part.length < 100)
    .flatMap((part) =>
      beginnings.map(
        (beginning) =>
          (length: number): string =>
            beginning + part.repeat(Math.ceil(length / part.length)),
      ),
    );
}

/** Slack of a machine that does other things as well, in ms of processor time: quadratic work of this length takes seconds. */
const slackMs = 250;

function requireProportion(make: (length: number) => string, { hold, mostBytes = longLength }: HostileParser): void {
  const [short, long] = [make(Math.min(shortLength, mostBytes / 2)), make(Math.min(longLength, mostBytes))];
  const spentShort = processorMs(() => hold(short));
  const spentLong = processorMs(() => hold(long));
  const factor = long.length / Math.max(1, short.length);
  if (spentLong <= 4 * factor * spentShort + slackMs) return;
  throw new Error(
    `${long.length} characters took ${Math.round(spentLong)} ms, ${short.length} took ${spentShort.toFixed(2)} ms: ${JSON.stringify(long.slice(0, 80))}`,
  );
}

function processorMs(action: () => void): number {
  const before = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Longer ones fill logs and records; lists have a line for each fault. */
const mostMessage = 5000;

/** What the parser makes of it; undefined when it refuses with one of these codes. Fails for every other end. */
export function taken<T>(codes: readonly ErrorCode[], parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    if (!isErrorCode(error.code) || !codes.includes(error.code))
      throw new Error(`refused with ${error.code}: ${error.message}`, { cause: error });
    const said = error.toLine();
    if (/(?![\n\t])\p{Cc}|[\u2028\u2029\u202a-\u202e]/u.test(said))
      throw new Error(`a message that steers: ${JSON.stringify(said)}`);
    must(said.length < mostMessage || said.includes('\n'), 'a long message', said.length);
    return undefined;
  }
}

const show = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value)).slice(0, 300);

export function must(isSo: boolean, what: string, value?: unknown): void {
  if (!isSo) throw new Error(`${what}: ${show(value)}`);
}

export function mustEqual(found: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(found, expected)) throw new Error(`${what}: ${show(found)} is not ${show(expected)}`);
}

/** A text that can stand in a line, a name of a file and a message without doing anything there. */
export function mustBePlain(text: string, what: string): void {
  must(!/[\0\n\r\u0001-\u001f\u007f\u0085\u2028\u2029]/.test(text), `${what} is not plain`, text);
}

const hostName = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/;

export function mustBeHosts(names: readonly string[], most = 65_536): void {
  must(names.length <= most, 'too many hosts', names.length);
  for (const name of names) if (!hostName.test(name)) must(false, 'no host name', name);
}

/** A path of the host that leads nowhere else than it says. */
export function mustBePath(path: string): void {
  mustBePlain(path, 'a path');
  must(path.startsWith('/') && !path.split('/').includes('..'), 'no path', path);
}

/** Nothing of JSON may change what every object has. */
export function mustLeaveObjectsAlone(): void {
  const fresh: Readonly<Record<string, unknown>> = {};
  must(fresh['a'] === undefined && fresh['x'] === undefined && fresh['uid'] === undefined, 'prototype changed');
}
