import type { ShownJob, ShownLine } from '../../contract/shown-job.ts';
import { jobPhaseSchema } from '../../contract/shown-job.ts';
import { oneLine } from '../../values/one-line.ts';
import { JobError } from '../../values/errors.ts';
import { findNearestName } from '../../values/nearest-name.ts';
import { formatDuration } from './format-duration.ts';
import { formatTable } from './format-table.ts';

/** Which jobs are shown; each that is given must hold. */
export interface JobFilter {
  readonly user?: string;
  readonly host?: string;
  readonly phase?: string;
  readonly image?: string;
}

/** What `show-jobs` has told, told apart. */
export interface JobList {
  readonly jobs: readonly ShownJob[];
  readonly notes: readonly string[];
}

/** Fails with `USAGE` for a phase that there is not. */
export function selectJobs(lines: readonly ShownLine[], filter: JobFilter): JobList {
  requirePhase(filter.phase);
  const jobs = lines.flatMap((line) => (line.kind === 'job' ? [line.job] : []));
  const notes = lines.flatMap((line) => (line.kind === 'note' ? [line.message] : []));
  return { jobs: jobs.filter((job) => fits(job, filter)), notes };
}

function requirePhase(phase: string | undefined): void {
  const known = jobPhaseSchema.options;
  if (phase === undefined || known.some((each) => each === phase)) return;
  const nearest = findNearestName(phase, known);
  throw new JobError({
    code: 'USAGE',
    message: `${JSON.stringify(phase.slice(0, 60))} is no phase of a job.`,
    hint: `${nearest === undefined ? '' : `Did you mean ${nearest}? `}Phases: ${known.join(', ')}.`,
  });
}

function fits(job: ShownJob, { user, host, phase, image }: JobFilter): boolean {
  return (
    (user === undefined || job.user === user || String(job.uid) === user) &&
    (host === undefined || job.hosts.some((each) => shortName(each) === shortName(host))) &&
    (phase === undefined || job.phase === phase) &&
    (image === undefined || job.image?.includes(image) === true)
  );
}

function shortName(host: string): string {
  return host.split('.')[0] ?? host;
}

const head = ['JOB', 'USER', 'PHASE', 'TIME', 'NODES', 'HOSTS', 'NETWORK', 'IMAGE'] as const;

/** The list as a table, as squeue shows jobs; TIME is since the job was opened. */
export function renderJobs({ jobs, notes }: JobList, nowMs = Date.now()): string {
  const rows = jobs.map((job) => [
    job.job,
    job.user ?? (job.uid === undefined ? '?' : String(job.uid)),
    job.phase,
    job.openedAt === undefined ? '?' : formatDuration(nowMs - Date.parse(job.openedAt)),
    job.hosts.length === 0 ? '?' : String(job.hosts.length),
    shortenHosts(job.hosts),
    job.network ?? '?',
    job.note === undefined ? (job.application ?? job.image ?? '?') : `(${oneLine(job.note, 200)})`,
  ]);
  const told = notes.map((note) => `note: ${oneLine(note, 500)}`);
  return [...formatTable([head, ...rows]), ...told].map((line) => `${line}\n`).join('');
}

const mostShown = 4;

function shortenHosts(hosts: readonly string[]): string {
  if (hosts.length === 0) return '?';
  const shown = hosts.slice(0, mostShown).join(',');
  return hosts.length > mostShown ? `${shown},…` : shown;
}

/** The same as one JSON object. */
export function jobsJson({ jobs, notes }: JobList): string {
  return JSON.stringify({ jobs, notes });
}
