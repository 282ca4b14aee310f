import { appendByProcess } from './append-by-process.ts';
import type { AuditPlaces } from './append-by-process.ts';
import { dropIntoSpool, findSpoolProblem } from './spool.ts';
import { sendToSyslog } from './send-to-syslog.ts';

/** Where records go. */
export interface AuditSink {
  /** Takes a record over, at once and without waiting for any disk. Never fails. */
  add(record: string): void;
  /** Why records do not reach their place; undefined while they do. Asks no disk. */
  findProblem(): string | undefined;
  /** Resolves when what was added has been written, or after a second. */
  flush(): Promise<void>;
}

/** A start of a job lasts about a second: until then its processors have better to do. */
const appendAfterMs = 2000;

/**
 * The file of the site. A record is put into a directory in memory, which never hangs, before the act; a process of its
 * own appends what is there to the file, so that a disk that hangs holds no helper.
 */
export function fileSink(file: string, places: AuditPlaces): AuditSink {
  let waiting: NodeJS.Timeout | undefined;
  let isBehind = false;
  let lost: string | undefined;
  const append = async (): Promise<void> => {
    clearTimeout(waiting);
    waiting = undefined;
    if (!isBehind) return;
    isBehind = false;
    await appendByProcess(file, places);
  };
  return {
    add: (record) => {
      isBehind = true;
      lost = dropIntoSpool(places.spool, record);
      if (lost !== undefined) complain(lost, record);
      waiting ??= setTimeout(() => void append(), appendAfterMs).unref();
    },
    findProblem: () => lost ?? findSpoolProblem(places.spool),
    flush: append,
  };
}

/** A record that finds no room in memory goes to syslog, out of the chain. */
function complain(problem: string, record: string): void {
  process.stderr.write(`hpc-dockerjob-helper: the audit record could not be written: ${problem}\n`);
  sendToSyslog(record);
}

/** Syslog, where the site names no file: no chain, and nobody says whether a record has arrived. */
export const syslogSink: AuditSink = {
  add: sendToSyslog,
  findProblem: () => undefined,
  flush: async () => await Promise.resolve(),
};
