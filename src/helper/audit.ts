import { spawn } from 'node:child_process';
import { pino } from 'pino';
import type { Logger } from 'pino';

/** Facts of one decision; values must never be secrets. */
export type AuditFacts = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** Records every decision of the helper with the rule behind it. */
export interface Audit {
  record(event: string, facts: AuditFacts): void;
}

/** Audit records as JSON lines: to a file of the site, or to syslog when the site names none. */
export function auditTo(file: string): Audit {
  const base = { pid: process.pid, program: 'hpc-dockerjob-helper' };
  let logger: Logger | undefined;
  return {
    record: (event, facts) => {
      if (file === '') {
        sendToSyslog(JSON.stringify({ event, ...facts }));
        return;
      }
      logger ??= pino(
        {
          base,
          timestamp: pino.stdTimeFunctions.isoTime,
          redact: { paths: ['*.privateKey', '*.key', '*.password'], remove: true },
        },
        pino.destination({ dest: file, append: true, mkdir: false, sync: true, mode: 0o600 }),
      );
      logger.info(facts, event);
    },
  };
}

/** Through logger(1): Node has no datagram sockets of the Unix domain. A host without syslog loses the record, not the job. */
function sendToSyslog(text: string): void {
  const child = spawn('/usr/bin/logger', ['-t', 'hpc-dockerjob-helper', '-p', 'auth.info', '--', text.slice(0, 8000)], {
    stdio: 'ignore',
    env: { PATH: '/usr/bin:/bin' },
    timeout: 5000,
  });
  child.on('error', () => undefined);
  child.unref();
}
