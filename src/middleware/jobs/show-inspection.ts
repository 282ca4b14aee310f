import type { JobRecord } from '../../contract/job-record.ts';
import type { InspectedJob, ShownLine, ShownNode } from '../../contract/shown-job.ts';
import { formatBytes } from '../../values/format-bytes.ts';
import { oneLine, showWord } from '../../values/one-line.ts';
import { formatDuration } from './format-duration.ts';
import { formatTable } from './format-table.ts';

type Fact = readonly [name: string, value: string | undefined];

const mostWords = 2000;

/** All that is known of one job, for people: facts, what it waits for, its nodes; of one that is over, its timeline. */
export function renderInspection(lines: readonly ShownLine[], nowMs = Date.now()): string {
  const texts = lines.map((line) => {
    switch (line.kind) {
      case 'inspected':
        return renderLive(line.job, nowMs);
      case 'record':
        return renderRecord(line.record);
      case 'note':
        return [`note: ${oneLine(line.message, 500)}`];
      case 'job':
        return [];
    }
  });
  return texts
    .flat()
    .map((line) => `${line}\n`)
    .join('');
}

/** The same as one JSON object: `job` while it is open, else `record`. */
export function inspectionJson(lines: readonly ShownLine[]): string {
  const notes = lines.flatMap((line) => (line.kind === 'note' ? [line.message] : []));
  const job = lines.find((line) => line.kind === 'inspected')?.job;
  const record = lines.find((line) => line.kind === 'record')?.record;
  return JSON.stringify({ ...(job && { job }), ...(record && { record }), notes });
}

function renderLive(job: InspectedJob, nowMs: number): readonly string[] {
  const since =
    job.openedAt === undefined ? '' : `, ${formatDuration(nowMs - Date.parse(job.openedAt))} after it was opened`;
  const facts: readonly Fact[] = [
    ['job', nameJob(job)],
    ['phase', `${job.phase}${since}`],
    ['user', nameUser(job)],
    ['image', nameImage(job)],
    ['application', job.application],
    ['command', job.command?.map(showWord).join(' ')],
    ['workdir', job.workdir],
    ['network', [job.network, job.subnet].filter(Boolean).join(' ')],
    ['mounts', job.mounts?.join(' ')],
    ['devices', job.devices?.join(' ')],
    ['run limit', job.maxRunSeconds ? `${job.maxRunSeconds} s, by the site` : undefined],
    ['note', job.note],
    ['ended', job.end && `status ${job.end.exitStatus}: ${job.end.reason}`],
  ];
  const waits = job.waitsFor.map((wait): Fact => ['now', wait]);
  return [...renderFacts([...facts, ...waits]), ...renderNodes(job.nodes)];
}

function renderNodes(nodes: readonly ShownNode[]): readonly string[] {
  if (nodes.length === 0) return [];
  const rows = nodes.map(({ index, host, ip, slots, phase, error, usage }) => [
    ...[String(index), host, ip, String(slots), phase],
    oneLine([error, nameUsage(usage ?? {})].filter(Boolean).join('; '), 300),
  ]);
  return ['', ...formatTable([['NODE', 'HOST', 'ADDRESS', 'SLOTS', 'PHASE', ''], ...rows])];
}

function renderRecord(record: JobRecord): readonly string[] {
  const { hosts, hostCount } = record;
  const facts: readonly Fact[] = [
    ['job', nameJob(record)],
    ['ended', `${readableTime(record.endedAt)}, ${nameEnd(record)}`],
    ['reason', record.reason],
    ['user', nameUser(record)],
    ['image', nameImage(record)],
    ['application', record.application],
    ['program', record.program && showWord(record.program)],
    ['workdir', record.workdir],
    ['network', record.network],
    [
      'hosts',
      `${hosts.join(' ')}${hostCount > hosts.length ? ` and ${hostCount - hosts.length} more` : ''}, ${record.slots} slots`,
    ],
    ['used', nameUsage(record.usage)],
    ['left', record.leftovers.length === 0 ? 'nothing' : record.leftovers.join('; ')],
    ['opened', readableTime(record.openedAt)],
  ];
  return [...renderFacts(facts), '', ...renderTimeline(record.phaseTimesMs)];
}

function nameEnd({ endedBy, exitStatus, code }: JobRecord): string {
  return endedBy === 'command' ? `by its command with status ${exitStatus}` : `${code ?? '?'} (status ${exitStatus})`;
}

const barWidth = 40;

/** A line for each phase: how long it took, and a bar where it lies in the whole. */
function renderTimeline({ gathered, ready, finished, released }: JobRecord['phaseTimesMs']): readonly string[] {
  const ends: readonly (readonly [name: string, endMs: number | undefined])[] = [
    ['start containers', gathered],
    ['test links', ready],
    [ready === undefined ? 'until the end' : 'run command', finished],
    ['clean up', released],
  ];
  const whole = Math.max(1, released);
  let beginMs = 0;
  const rows = ends.flatMap(([name, endMs]) => {
    if (endMs === undefined) return [];
    const from = Math.round((beginMs / whole) * barWidth);
    const to = Math.max(from + 1, Math.round((endMs / whole) * barWidth));
    const row = [
      name,
      `${(Math.max(0, endMs - beginMs) / 1000).toFixed(2).padStart(9)} s`,
      `|${' '.repeat(from)}${'#'.repeat(to - from)}`,
    ];
    beginMs = endMs;
    return [row];
  });
  return formatTable(rows);
}

function renderFacts(facts: readonly Fact[]): readonly string[] {
  const told = facts.filter((fact): fact is readonly [string, string] => fact[1] !== undefined && fact[1] !== '');
  const width = Math.max(0, ...told.map(([name]) => name.length));
  return told.map(([name, value], at) => {
    const isRepeated = told[at - 1]?.[0] === name;
    return `${(isRepeated ? '' : name).padEnd(width)}  ${oneLine(value, mostWords)}`;
  });
}

type Named = Pick<InspectedJob, 'job' | 'scheduler' | 'schedulerJobId'>;

function nameJob({ job, scheduler, schedulerJobId }: Named): string {
  return scheduler === undefined ? job : `${job} (${schedulerJobId ?? job} of ${scheduler})`;
}

function nameUser({ user, uid }: Pick<InspectedJob, 'user' | 'uid'>): string | undefined {
  return user === undefined ? uid?.toString() : `${user} (${uid ?? '?'})`;
}

function nameImage({ image, imageId }: Pick<InspectedJob, 'image' | 'imageId'>): string | undefined {
  return imageId === undefined ? image : `${image ?? '?'} (${imageId.slice(0, 19)})`;
}

function nameUsage({ cpuSeconds, peakMemoryBytes }: JobRecord['usage']): string {
  return [
    ...(cpuSeconds === undefined ? [] : [`${cpuSeconds.toFixed(1)} s of CPU time`]),
    ...(peakMemoryBytes === undefined ? [] : [`at most ${formatBytes(peakMemoryBytes)} of memory on a host`]),
  ].join(', ');
}

function readableTime(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 19)} UTC`;
}
