import { once } from 'node:events';
import { within } from '../../system/deadline.ts';
import { startAsRoot } from '../../system/start-as-root.ts';

/** Directories and programs of the records of this host. */
export interface AuditPlaces {
  /** In memory: what is not in the file yet. */
  readonly spool: string;
  /** How far the chain of this host has come. */
  readonly state: string;
  /** The program that appends to the file, and alone waits for its disk. */
  readonly appender: string;
}

/** What a disk may take of a helper's time; the process that waits for it goes on. */
const mostWaitMs = 1000;

/** Has what is in the spool appended to the file by a process of its own, and waits for it for a second. Never fails. */
export async function appendByProcess(file: string, { appender, spool, state }: AuditPlaces): Promise<void> {
  const ended = once(startAsRoot('/bin/sh', [appender, spool, file, state]), 'exit').catch(() => undefined);
  await within(mostWaitMs, ended, undefined);
}
