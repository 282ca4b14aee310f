/** Jobs as bjobs prints them. Pure. */
import { CommandError } from './command-error.ts';
import { nameJob } from './job.ts';
import type { HostShare, JobRecord } from './job.ts';

const shortHeader = 'JOBID   USER    STAT  QUEUE      FROM_HOST   EXEC_HOST   JOB_NAME   SUBMIT_TIME';
const longLineLength = 80;
const longIndent = ' '.repeat(21);

/** `node1`, or `2*node1` for more than one slot. */
function renderShare({ host, slots }: HostShare): string {
  return slots === 1 ? host : `${slots}*${host}`;
}

export function renderExecHosts(shares: readonly HostShare[]): string {
  return shares.map(renderShare).join(':');
}

/** The table for people: columns are cut to their width, further execution hosts stand on lines of their own. */
export function renderPlain(jobs: readonly JobRecord[]): string {
  const rows = jobs.flatMap((job) => {
    const [first = '', ...more] = job.shares.map(renderShare);
    const row = [
      ...[cut(String(job.id), 7), cut(job.user, 7), cut(job.status, 5), cut(job.queue, 10)],
      ...[cut(job.submitHost, 11), cut(first, 11), cutName(job.name, 10), shortTime(job.submitSeconds)],
    ];
    return [row.join(' '), ...more.map((host) => `${' '.repeat(45)}${host}`)];
  });
  return [shortHeader, ...rows].join('\n');
}

/** The same without cuts. */
export function renderWide(jobs: readonly JobRecord[]): string {
  const rows = jobs.map((job) => {
    const cells = [
      ...[String(job.id).padEnd(7), job.user.padEnd(7), job.status.padEnd(5), job.queue.padEnd(10)],
      ...[job.submitHost.padEnd(11), (renderExecHosts(job.shares) || '-').padEnd(11), job.name.padEnd(10)],
    ];
    return `${cells.join(' ')} ${shortTime(job.submitSeconds)}`;
  });
  return [shortHeader, ...rows].join('\n');
}

function cut(text: string, width: number): string {
  return text.slice(0, width).padEnd(width);
}

/** A long name shows its end behind an asterisk. */
function cutName(text: string, width: number): string {
  return text.length <= width ? text.padEnd(width) : `*${text.slice(1 - width)}`;
}

/** `Nov 20 10:01` */
function shortTime(seconds: number): string {
  const [, month = '', day = '', time = ''] = longTime(seconds).split(/\s+/);
  return `${month} ${day.padStart(2)} ${time.slice(0, 5)}`;
}

/** `Fri Nov 20 10:01:02` */
function longTime(seconds: number): string {
  const [weekday = '', month = '', day = '', , time = ''] = new Date(seconds * 1000).toString().split(' ');
  return `${weekday} ${month} ${String(Number(day)).padStart(2)} ${time}`;
}

/** The description of one job; lines are folded after 80 characters, wherever that is, as is usual in LSF. */
export function renderLong(job: JobRecord): string {
  const name = job.name === job.command ? '' : ` Job Name <${job.name}>,`;
  const hosts = job.shares.flatMap(({ host, slots }) => Array.from({ length: slots }, () => `<${host}>`));
  const on = hosts.length === 1 ? hosts.join(' ') : `${hosts.length} Hosts/Processors ${hosts.join(' ')}`;
  const place = `Execution Home <${job.home}>, Execution CWD <${job.cwd}>`;
  const slots = job.slots > 1 ? `, ${job.slots} Processors Requested` : '';
  const paragraphs = [
    `Job <${nameJob(job)}>,${name} User <${job.user}>, Project <${job.project}>, Status <${job.status}>, Queue <${job.queue}>, Command <${job.command}>`,
    `${longTime(job.submitSeconds)}: Submitted from host <${job.submitHost}>, CWD <${job.cwd}>${slots};`,
    ...(job.startSeconds === undefined || hosts.length === 0 || job.status.startsWith('P')
      ? []
      : [`${longTime(job.startSeconds)}: Started on ${on}, ${place};`]),
    ...(job.finishSeconds === undefined ? [] : [`${longTime(job.finishSeconds)}: ${describeEnd(job)}`]),
  ];
  const reason =
    job.status.startsWith('P') && job.pendingReason ? ['', ' PENDING REASONS:', ` ${job.pendingReason};`] : [];
  return ['', ...paragraphs.flatMap(fold), ...reason].join('\n');
}

function describeEnd(job: JobRecord): string {
  if (job.status === 'DONE') return 'Done successfully. The CPU time used is 0.1 seconds.';
  if (job.exitCode === undefined) return 'Exited; The CPU time used is unknown.';
  return `Exited with exit code ${job.exitCode}. The CPU time used is 0.1 seconds.`;
}

function fold(text: string): string[] {
  const lines = [text.slice(0, longLineLength)];
  const width = longLineLength - longIndent.length;
  for (let at = longLineLength; at < text.length; at += width) lines.push(longIndent + text.slice(at, at + width));
  return lines;
}

const fieldValues: Readonly<Record<string, (job: JobRecord) => string>> = {
  jobid: (job) => String(job.id),
  jobindex: (job) => String(job.index),
  stat: (job) => job.status,
  user: (job) => job.user,
  queue: (job) => job.queue,
  job_name: (job) => job.name,
  from_host: (job) => job.submitHost,
  first_host: (job) => job.shares[0]?.host ?? '',
  exec_host: (job) => renderExecHosts(job.shares),
  nexec_host: (job) => String(job.shares.length),
  slots: (job) => String(job.slots),
  command: (job) => job.command,
  proj_name: (job) => job.project,
  sub_cwd: (job) => job.cwd,
  exec_cwd: (job) => job.cwd,
  exec_home: (job) => job.home,
  submit_time: (job) => shortTime(job.submitSeconds),
  start_time: (job) => (job.startSeconds === undefined ? '' : shortTime(job.startSeconds)),
  finish_time: (job) => (job.finishSeconds === undefined ? '' : shortTime(job.finishSeconds)),
  pend_reason: (job) => job.pendingReason ?? '',
};
const aliases: Readonly<Record<string, string>> = {
  id: 'jobid',
  name: 'job_name',
  jobname: 'job_name',
  cmd: 'command',
  proj: 'proj_name',
};
/** Known to IBM's only; the recorded system refuses it. */
const ibmFieldValues: typeof fieldValues = {
  ...fieldValues,
  exit_code: (job) => (job.exitCode === undefined ? '' : String(job.exitCode)),
};

interface Field {
  readonly title: string;
  readonly read: (job: JobRecord) => string;
}

function findFields(names: readonly string[], likeIbm: boolean): Field[] {
  const values = likeIbm ? ibmFieldValues : fieldValues;
  return names.map((name) => {
    const key = aliases[name] ?? name;
    const read = Object.hasOwn(values, key) ? values[key] : undefined;
    if (read === undefined) throw new CommandError(`${name}: Illegal output field name.`);
    return { title: key.toUpperCase(), read };
  });
}

/** The fields that `-o` names, in columns or between delimiters; what is not known yet is "-". */
export function renderFields(
  jobs: readonly JobRecord[],
  names: readonly string[],
  options: { readonly delimiter?: string | undefined; readonly hasHeader: boolean; readonly likeIbm: boolean },
): string {
  const fields = findFields(names, options.likeIbm);
  const rows = jobs.map((job) => fields.map(({ read }) => read(job) || '-'));
  if (options.hasHeader) rows.unshift(fields.map(({ title }) => title));
  const widths = fields.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const pad = (row: readonly string[]): string =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join(' ')
      .trimEnd();
  return rows.map((row) => (options.delimiter === undefined ? pad(row) : row.join(options.delimiter))).join('\n');
}

/** The same as one JSON object. */
export function renderJson(jobs: readonly JobRecord[], names: readonly string[], likeIbm: boolean): string {
  const fields = findFields(names, likeIbm);
  const records = jobs.map((job) => Object.fromEntries(fields.map(({ title, read }) => [title, read(job)])));
  return JSON.stringify({ COMMAND: 'bjobs', JOBS: jobs.length, RECORDS: records }, undefined, 2);
}
