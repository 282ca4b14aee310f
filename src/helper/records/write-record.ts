import { hostname } from 'node:os';
import { dirname, resolve } from 'node:path';
import type { SiteConfig } from '../../config/site-schema.ts';
import type { JobRecord } from '../../contract/job-record.ts';
import { within } from '../../system/deadline.ts';
import { startAsRoot } from '../../system/start-as-root.ts';
import { toJsonLine } from '../../values/json-line.ts';

/** What a process that was stopped may take of a keeper's time. */
const mostWaitMs = 1000;

/** Records of jobs that this host has opened; hosts may share the directory. */
export function recordsFile(directory: string, host = hostname()): string {
  return `${directory}/${host.replaceAll(/[^A-Za-z0-9._-]/g, '_')}.jsonl`;
}

/** A process that waits for a job's record. */
export interface RecordWriter {
  /** Hands the record over; what becomes of it then nobody waits for. Never fails. */
  write(record: JobRecord): Promise<void>;
}

/**
 * Starts the process that appends the record of a job, out of the job: as soon as all is released the scheduler kills
 * what is in it. It ends with us when it gets none. A host whose disk is full or hangs loses the record, not the job.
 */
export function openRecordWriter({ directory, keepBytes }: SiteConfig['records']): RecordWriter {
  if (directory === '') return { write: async () => await Promise.resolve() };
  const appender = `${resolve(dirname(process.argv[1] ?? ''), '..')}/share/append-record`;
  const { stdin } = startAsRoot('/bin/sh', [appender, recordsFile(directory), String(keepBytes)], { hasInput: true });
  return {
    write: async (record) => {
      const written = Promise.withResolvers<undefined>();
      if (stdin === null) return;
      stdin.once('close', () => written.resolve(undefined));
      stdin.end(toJsonLine(record), () => written.resolve(undefined));
      await within(mostWaitMs, written.promise, undefined);
    },
  };
}
