import type { JobRecord } from '../../contract/job-record.ts';
import type { Metric, Sample } from '../../values/prometheus-text.ts';

const quantiles = [0.5, 0.9, 0.99] as const;

type Phase = (times: JobRecord['phaseTimesMs']) => number | undefined;

/** How long each phase of a job took, of those that were reached. */
const phases: Readonly<Record<string, Phase>> = {
  start: ({ gathered }) => gathered,
  links: ({ gathered, ready }) => (gathered === undefined || ready === undefined ? undefined : ready - gathered),
  command: ({ ready, finished }) => (ready === undefined ? undefined : finished - ready),
  cleanup: ({ finished, released }) => released - finished,
};

/** What the records of ended jobs tell: how many ended how, how long their phases took, what was left behind. Pure. */
export function describeEnds(records: readonly JobRecord[]): readonly Metric[] {
  const ends = Map.groupBy(records, ({ code, endedBy, exitStatus }) =>
    endedBy === 'command' ? (exitStatus === 0 ? 'ok' : 'command failed') : (code ?? 'BUG'),
  );
  return [
    {
      name: 'hpc_dockerjob_ended_jobs',
      help: 'Jobs that this host opened and that ended within the last 24 hours, by how they ended.',
      samples: [...ends].toSorted().map(([end, jobs]) => ({ labels: { end }, value: jobs.length })),
    },
    {
      name: 'hpc_dockerjob_phase_seconds',
      help: 'How long the phases of these jobs took.',
      samples: Object.entries(phases).flatMap(([phase, measure]) => describePhase(phase, records, measure)),
    },
    {
      name: 'hpc_dockerjob_unclean_jobs',
      help: 'Those of them of which something was left behind at their end.',
      samples: [{ value: records.filter(({ leftovers }) => leftovers.length > 0).length }],
    },
  ];
}

function describePhase(phase: string, records: readonly JobRecord[], measure: Phase): readonly Sample[] {
  const times = records
    .map(({ phaseTimesMs }) => measure(phaseTimesMs))
    .filter((time) => time !== undefined)
    .toSorted((one, other) => one - other);
  if (times.length === 0) return [];
  return quantiles.map((quantile) => ({
    labels: { phase, quantile: String(quantile) },
    value: (times[Math.min(times.length - 1, Math.floor(times.length * quantile))] ?? 0) / 1000,
  }));
}
