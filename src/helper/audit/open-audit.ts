import { hostname } from 'node:os';
import { dirname, resolve } from 'node:path';
import type { SiteConfig } from '../../config/site-schema.ts';
import type { AuditedCall, CallAudit } from './audit.ts';
import { auditCall } from './audit.ts';
import type { AuditPlaces } from './append-by-process.ts';
import { fileSink, syslogSink } from './audit-sink.ts';

/** Beside the jobs' run directories, not among them: hooks look there for jobs. */
const spool = '/run/hpc-dockerjob-audit';
const stateDirectory = '/var/lib/hpc-submit-dockerjob';

/** Where this host keeps the end of its chain; hosts may share a disk. */
export function auditStateFile(host = hostname()): string {
  return `${stateDirectory}/audit-${host.replaceAll(/[^A-Za-z0-9._-]/g, '_')}`;
}

function placesHere(): AuditPlaces {
  const packageDirectory = resolve(dirname(process.argv[1] ?? ''), '..');
  return { spool, state: auditStateFile(), appender: `${packageDirectory}/share/append-audit` };
}

/** The records of this call, to the file of the site, or to syslog when it names none. */
export function openAudit({ file, required }: SiteConfig['audit'], call: AuditedCall): CallAudit {
  return auditCall(file === '' ? syslogSink : fileSink(file, placesHere()), call, { isRequired: required });
}
