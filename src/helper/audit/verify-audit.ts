import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { pause } from '../../system/deadline.ts';
import { LineSplitter, LineTooLong } from '../../system/lines.ts';
import { asClause, JobError } from '../../values/errors.ts';
import type { AuditLine, ChainEnd, ChainFinding } from './chain.ts';
import { ChainCheck, readLink } from './chain.ts';

/** What was found in the files, and how much was looked at. */
export interface AuditVerdict {
  readonly findings: readonly ChainFinding[];
  readonly hosts: ReadonlyMap<string, ChainEnd>;
  readonly files: readonly string[];
}

/** Far longer than a record. */
const maxLineBytes = 1024 * 1024;
/** An append that goes on between our looks at the file and at the state would look like a fault. */
const mostTries = 4;
/** Milliseconds between two tries. An append notes its end once the disk has its records. */
const betweenMs = 500;

/**
 * Follows the chain of every host through the files, in whatever order they are given; rotated ones may be compressed by
 * gzip. `stateFile` is where this host keeps the end of its own chain. Fails with `USAGE` when a file cannot be read.
 */
export async function verifyAudit(files: readonly string[], stateFile: string): Promise<AuditVerdict> {
  for (let tries = 1; ; tries += 1) {
    const before = await readState(stateFile);
    const check = new ChainCheck();
    for (const file of await inOrder(files)) for await (const line of linesOf(file)) check.take(line);
    const after = await readState(stateFile);
    const isUnderWay = before?.seq !== after?.seq || (check.ends.get(hostname())?.seq ?? 0) > (after?.seq ?? 0);
    if (isUnderWay && tries < mostTries) {
      await pause(betweenMs);
      continue;
    }
    const findings = check.finish(new Map(after === undefined ? [] : [[hostname(), after]]));
    return { findings, hosts: check.ends, files };
  }
}

/** The file and what logrotate has made of it: `FILE.1`, `FILE-20261128`, `FILE.2.gz`. */
export async function findRotated(file: string): Promise<readonly string[]> {
  const name = basename(file);
  const isRotated = (each: string): boolean =>
    each === name || (each.startsWith(name) && /^[.-][0-9-]+(?:\.gz)?$/.test(each.slice(name.length)));
  const names = await readdir(dirname(file)).catch((error: unknown) => {
    throw unreadable(dirname(file), error);
  });
  return names.filter(isRotated).map((each) => `${dirname(file)}/${each}`);
}

/** By the first record in each: names and times say nothing certain of rotated files. */
async function inOrder(files: readonly string[]): Promise<readonly string[]> {
  const firsts = await Promise.all(files.map(async (file) => ({ file, seq: await firstSeq(file) })));
  return firsts.sort((a, b) => a.seq - b.seq).map(({ file }) => file);
}

async function firstSeq(file: string): Promise<number> {
  for await (const { bytes } of linesOf(file)) {
    const link = readLink(bytes);
    if (link !== undefined) return link.seq;
  }
  return Infinity;
}

async function* linesOf(file: string): AsyncGenerator<AuditLine> {
  const lines = new LineSplitter({ mostBytes: maxLineBytes });
  let number = 0;
  try {
    for await (const chunk of open(file)) {
      for (const bytes of lines.take(chunk as Buffer)) {
        number += 1;
        yield { place: `${file}:${number}`, bytes };
      }
    }
  } catch (error) {
    if (!(error instanceof LineTooLong)) throw unreadable(file, error);
  }
  const rest = lines.takeRest();
  if (rest.length > 0) yield { place: `${file}:${number + 1}`, bytes: rest };
}

function open(file: string): Readable {
  const stream = createReadStream(file);
  if (!file.endsWith('.gz')) return stream;
  const unpacked = createGunzip();
  stream.on('error', (error) => unpacked.destroy(error));
  return stream.pipe(unpacked);
}

async function readState(file: string): Promise<ChainEnd | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const [, seq, hash] = /^(\d{1,15}) ([0-9a-f]{64}) /.exec(text) ?? [];
  return seq === undefined || hash === undefined ? undefined : { seq: Number(seq), hash };
}

function unreadable(path: string, error: unknown): JobError {
  return new JobError({ code: 'USAGE', message: `${path} cannot be read: ${asClause(error)}.`, cause: error });
}
