import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import type { JobRecord } from '../../contract/job-record.ts';
import { jobRecordSchema } from '../../contract/job-record.ts';
import { LineSplitter } from '../../system/lines.ts';
import { asClause } from '../../values/errors.ts';
import { findJsonAs } from '../../values/parse-json-as.ts';

/** A record with 256 hosts of the longest names has less. */
const mostLineBytes = 256 * 1024;
/** What is read of one directory at most, the newest files first. */
const usualMostBytes = 1024 ** 3;

export interface ReadRecordsOptions {
  /** Only this file, and what it was before. */
  readonly ownFile?: string;
  readonly mostBytes?: number;
}

/** Records as they were found. */
export interface ReadRecords {
  readonly records: readonly JobRecord[];
  /** What could not be read, in words. */
  readonly notes: readonly string[];
}

/**
 * The records of all hosts that write into this directory, oldest first. `wanted` looks at a line before it is parsed;
 * `ownFile` leaves only one host's.
 * A line that is no record is left out. Never fails.
 */
export async function readRecords(
  directory: string,
  wanted: (line: Buffer) => boolean,
  { ownFile, mostBytes = usualMostBytes }: ReadRecordsOptions = {},
): Promise<ReadRecords> {
  const notes: string[] = [];
  const files = await listFiles(directory).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') notes.push(`${directory}: ${asClause(error)}`);
    return [];
  });
  const records: JobRecord[] = [];
  const isAsked = ({ path }: { readonly path: string }): boolean => ownFile === undefined || path.startsWith(ownFile);
  let left = mostBytes;
  for (const { path, bytes } of files.filter(isAsked)) {
    left -= bytes;
    if (left < 0) {
      notes.push(`only the newest ${mostBytes / 1024 ** 2} MiB of ${directory} were read`);
      break;
    }
    try {
      for await (const line of readLinesOf(path)) {
        const record = wanted(line) ? findJsonAs(jobRecordSchema, line.toString()) : undefined;
        if (record !== undefined) records.push(record);
      }
    } catch (error) {
      notes.push(`${path}: ${asClause(error)}`);
    }
  }
  return { records: records.toSorted((one, other) => one.endedAt.localeCompare(other.endedAt)), notes };
}

/** Newest first. */
async function listFiles(directory: string): Promise<readonly { readonly path: string; readonly bytes: number }[]> {
  const names = (await readdir(directory)).filter((name) => /\.jsonl(?:\.1)?$/.test(name));
  const files = await Promise.all(
    names.map(async (name) => {
      const path = `${directory}/${name}`;
      const facts = await stat(path).catch(() => undefined); // rotated at this moment
      return facts?.isFile() === true ? [{ path, bytes: facts.size, changedMs: facts.mtimeMs }] : [];
    }),
  );
  return files.flat().toSorted((one, other) => other.changedMs - one.changedMs);
}

async function* readLinesOf(path: string): AsyncGenerator<Buffer, void, undefined> {
  const lines = new LineSplitter({ mostBytes: mostLineBytes, longer: 'cut' });
  for await (const bytes of createReadStream(path)) yield* lines.take(bytes as Buffer);
}
