import type { AuditEvent, AuditFacts, AuditValue } from './audit-events.ts';

/** Longest record in bytes, its line break left out: syslog daemons cut what is longer than 8 KiB. */
export const maxRecordBytes = 4096;
const maxTextLength = 400;
const maxItems = 32;

/** What every record says of its call. */
export interface RecordBase {
  readonly time: string;
  readonly host: string;
  readonly pid: number;
  readonly event: AuditEvent;
  /** Undefined only when sudo names no valid caller. */
  readonly uid: number | undefined;
  readonly verb: string;
  readonly job?: string | undefined;
}

/**
 * A record as one line of JSON without its line break: printable ASCII alone, so that nothing a user writes can end the
 * line or look like another one, and never longer than `maxRecordBytes`. Long texts and lists are cut and say so; facts
 * that find no room are left out, and `cut` says so.
 */
export function writeRecord(base: RecordBase, facts: AuditFacts): string {
  const cut = '"cut":true';
  const fields: string[] = [];
  let length = 2 + cut.length;
  for (const [name, value] of Object.entries({ ...base, ...facts, ...base, job: facts['job'] ?? base.job })) {
    if (value === undefined) continue;
    const field = `${toAscii(name.slice(0, 60))}:${toAscii(bound(value))}`;
    if (length + field.length + 1 > maxRecordBytes) return `{${[...fields, cut].join(',')}}`;
    fields.push(field);
    length += field.length + 1;
  }
  return `{${fields.join(',')}}`;
}

function bound(value: Exclude<AuditValue, undefined>): Exclude<AuditValue, undefined> {
  if (typeof value === 'string') return boundText(value);
  if (!Array.isArray(value)) return value;
  const items = value.slice(0, maxItems).map(boundText);
  return value.length > items.length ? [...items, `and ${value.length - items.length} more`] : items;
}

function boundText(text: string): string {
  return text.length <= maxTextLength ? text : `${text.slice(0, maxTextLength)}... (${text.length} characters)`;
}

/** JSON with every character escaped that is not printable ASCII: line separators, C1 controls, lone surrogates, all. */
function toAscii(value: AuditValue): string {
  return JSON.stringify(value).replaceAll(
    /[^\u0020-\u007e]/g,
    (char) => String.raw`\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
