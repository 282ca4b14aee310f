import type { JobRecord } from '../../contract/job-record.ts';
import { oneLine } from '../../values/one-line.ts';
import { formatTable } from './format-table.ts';

/** By what records are summed. */
export const reportKeys = {
  user: ({ user }: JobRecord) => user,
  image: ({ image }: JobRecord) => image,
  application: ({ application }: JobRecord) => application ?? '(none)',
  day: ({ endedAt }: JobRecord) => endedAt.slice(0, 10),
  end: ({ endedBy, exitStatus, code }: JobRecord) =>
    endedBy === 'command' ? (exitStatus === 0 ? 'ok' : 'command failed') : (code ?? '?'),
} as const satisfies Readonly<Record<string, (record: JobRecord) => string>>;
export type ReportKey = keyof typeof reportKeys;

/** The jobs that have one value of the key. */
export interface ReportRow {
  readonly value: string;
  readonly jobs: number;
  /** The command ended with 0. */
  readonly ok: number;
  /** The command ended with another status. */
  readonly failed: number;
  /** Ended by something else than the command. */
  readonly broken: number;
  /** Hosts times the time from opening to release. */
  readonly hostHours: number;
  readonly cpuHours: number;
}

/** One row for each value of the key: those with most jobs first, days in their order. Pure. */
export function sumRecords(records: readonly JobRecord[], key: ReportKey): readonly ReportRow[] {
  const groups = [...Map.groupBy(records, reportKeys[key])];
  const rows = groups.map(([value, jobs]) => sumGroup(value, jobs));
  return rows.toSorted((one, other) =>
    key === 'day'
      ? one.value.localeCompare(other.value)
      : other.jobs - one.jobs || one.value.localeCompare(other.value),
  );
}

function sumGroup(value: string, jobs: readonly JobRecord[]): ReportRow {
  const sum = (measure: (job: JobRecord) => number): number => jobs.reduce((all, job) => all + measure(job), 0);
  const ok = sum(({ endedBy, exitStatus }) => Number(endedBy === 'command' && exitStatus === 0));
  const broken = sum(({ endedBy }) => Number(endedBy !== 'command'));
  return {
    ...{ value, jobs: jobs.length, ok, failed: jobs.length - ok - broken, broken },
    hostHours: sum(({ hostCount, phaseTimesMs }) => hostCount * phaseTimesMs.released) / 3_600_000,
    cpuHours: sum(({ usage }) => usage.cpuSeconds ?? 0) / 3600,
  };
}

export function renderReport(rows: readonly ReportRow[], key: ReportKey): string {
  const head = [key.toUpperCase(), 'JOBS', 'OK', 'FAILED', 'BROKEN', 'HOST-HOURS', 'CPU-HOURS'];
  const lines = rows.map(({ value, jobs, ok, failed, broken, hostHours, cpuHours }) => [
    ...[oneLine(value, 60), String(jobs), String(ok), String(failed), String(broken)],
    ...[hostHours.toFixed(2), cpuHours.toFixed(2)],
  ]);
  return formatTable([head, ...lines])
    .map((line) => `${line}\n`)
    .join('');
}
