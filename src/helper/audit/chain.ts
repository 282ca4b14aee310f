import { createHash } from 'node:crypto';
import { oneLine } from '../../values/one-line.ts';
import { parseJson } from '../../values/parse-json-as.ts';

/** What stands before the first record of a chain. */
export const chainStart: ChainEnd = { seq: 0, hash: '0'.repeat(64) };

/** The last record that is known of a host's chain. */
export interface ChainEnd {
  readonly seq: number;
  /** SHA-256 of its line with the line break, in hex. */
  readonly hash: string;
}

/** A line of an audit file, by its place. */
export interface AuditLine {
  readonly place: string;
  readonly bytes: Buffer;
}

/** One fault, or a remark that is none. */
export interface ChainFinding {
  readonly kind: 'broken' | 'note';
  readonly text: string;
}

/** Lines that may still turn out as the beginnings of others: an append that was cut short leaves one. */
const mostTorn = 100;
/** Characters of one finding: it quotes the lines themselves. */
const mostWords = 1000;

interface Link {
  readonly host: string;
  readonly seq: number;
  readonly prev: string;
}

/**
 * Follows the chains of all hosts through lines in the order in which they were written. Each fault is named once: after
 * it the chain goes on from what stands there.
 */
export class ChainCheck {
  readonly findings: ChainFinding[] = [];
  readonly ends = new Map<string, ChainEnd>();
  /** Lines that are no records and may be the beginning of one whose write was cut short. */
  #torn: AuditLine[] = [];

  take(line: AuditLine): void {
    if (line.bytes.length === 0) return;
    const link = readLink(line.bytes);
    if (link === undefined) {
      this.#torn.push(line);
      if (this.#torn.length > mostTorn) this.#tellTorn(this.#torn.shift());
      return;
    }
    this.#torn = this.#torn.filter(({ bytes }) => !line.bytes.subarray(0, bytes.length).equals(bytes));
    const before = this.ends.get(link.host);
    if (before === undefined) this.#begin(line.place, link);
    else this.#follow(line.place, link, before);
    const hash = createHash('sha256').update(line.bytes).update('\n').digest('hex');
    this.ends.set(link.host, { seq: link.seq, hash });
  }

  /** Compares the end of a host's chain with what the host itself knows of it, and tells what is left to tell. */
  finish(known: ReadonlyMap<string, ChainEnd>): readonly ChainFinding[] {
    for (const line of this.#torn.splice(0)) this.#tellTorn(line);
    for (const [host, end] of known) this.#compareEnd(host, this.ends.get(host) ?? chainStart, end);
    for (const host of this.ends.keys())
      if (!known.has(host))
        this.#note(`host ${host}: its own state is not here, so records cut off at the end cannot be seen`);
    return this.findings;
  }

  #begin(place: string, { host, seq, prev }: Link): void {
    if (seq === 1 && prev === chainStart.hash) return;
    this.#note(`${place}: host ${host} begins with record ${seq}; those before it are in none of these files`);
  }

  #follow(place: string, { host, seq, prev }: Link, before: ChainEnd): void {
    if (seq > before.seq + 1)
      this.#broken(`${place}: host ${host}: records ${before.seq + 1} to ${seq - 1} are missing before this line`);
    else if (seq <= before.seq) this.#broken(`${place}: host ${host}: record ${seq} stands after record ${before.seq}`);
    else if (prev !== before.hash)
      this.#broken(
        `${place}: host ${host}: the record before this line (${before.seq}) was changed, or this one (${seq})`,
      );
  }

  #compareEnd(host: string, last: ChainEnd, known: ChainEnd): void {
    if (last.seq < known.seq)
      this.#broken(`host ${host}: records ${last.seq + 1} to ${known.seq} are missing at the end`);
    else if (last.seq > known.seq)
      this.#broken(`host ${host}: records after ${known.seq} were not written by the helper`);
    else if (last.hash !== known.hash) this.#broken(`host ${host}: the last record (${last.seq}) was changed`);
  }

  #tellTorn(line: AuditLine | undefined): void {
    if (line !== undefined) this.#broken(`${line.place}: this line is no record`);
  }

  #broken(text: string): void {
    this.findings.push({ kind: 'broken', text: oneLine(text, mostWords) });
  }

  #note(text: string): void {
    this.findings.push({ kind: 'note', text: oneLine(text, mostWords) });
  }
}

/** The part of a record that makes it a link; undefined for anything else. */
export function readLink(bytes: Buffer): Link | undefined {
  const value = parseJson(bytes.toString('utf8'));
  if (typeof value !== 'object' || value === null) return undefined;
  const { host, seq, prev } = value as Readonly<Record<string, unknown>>;
  if (typeof host !== 'string' || typeof prev !== 'string' || !Number.isSafeInteger(seq)) return undefined;
  return { host, seq: seq as number, prev };
}
