import { spawn } from 'node:child_process';
import type { Logger } from 'pino';
import { boundCommand } from '../system/bound-command.ts';

/** Facts of one decision; values must never be secrets. */
export type AuditFacts = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** Records every decision of the helper with the rule behind it. */
export interface Audit {
  record(event: string, facts: AuditFacts): void;
  /** Resolves when all that was recorded is written. */
  flush(): Promise<void>;
}

/** Audit records as JSON lines: to a file of the site, or to syslog when the site names none. */
export function auditTo(file: string): Audit {
  let pending = Promise.resolve();
  return {
    record: (event, facts) => {
      if (file === '') sendToSyslog(JSON.stringify({ event, ...facts }));
      else pending = pending.then(async () => await appendToFile(file, event, facts)).catch(complain);
    },
    flush: async () => await pending,
  };
}

/** A full disk must not stop a clean-up. */
function complain(error: unknown): void {
  process.stderr.write(`hpc-dockerjob-helper: the audit record could not be written: ${String(error)}\n`);
}

let logger: Promise<Logger> | undefined;

async function appendToFile(file: string, event: string, facts: AuditFacts): Promise<void> {
  logger ??= openLogger(file);
  (await logger).info(facts, event);
}

/** Loaded only where it is used: every host of a job starts this program, and waits for it. */
async function openLogger(file: string): Promise<Logger> {
  const { pino } = await import('pino');
  return pino(
    {
      base: { pid: process.pid, program: 'hpc-dockerjob-helper' },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: ['*.privateKey', '*.key', '*.password'], remove: true },
    },
    pino.destination({ dest: file, append: true, mkdir: false, sync: true, mode: 0o600 }),
  );
}

/** Through logger(1): Node has no datagram sockets of the Unix domain. A host without syslog loses the record, not the job. */
function sendToSyslog(text: string): void {
  const argv = ['-t', 'hpc-dockerjob-helper', '-p', 'auth.info', '--', text.slice(0, 8000)];
  const child = spawn(...boundCommand(5, '/usr/bin/logger', argv), {
    stdio: 'ignore',
    detached: true, // the suspension of the job must not stop it
    env: { PATH: '/usr/bin:/bin' },
  });
  child.on('error', () => undefined);
  child.unref();
}
