import { expect, it } from 'vitest';
import type { InspectedJob, ShownJob } from '../../../../src/contract/shown-job.ts';
import { makeJobRecord } from '../../../../src/helper/records/make-record.ts';
import { formatDuration } from '../../../../src/middleware/jobs/format-duration.ts';
import { inspectionJson, renderInspection } from '../../../../src/middleware/jobs/show-inspection.ts';
import { renderJobs, selectJobs } from '../../../../src/middleware/jobs/show-jobs.ts';
import { makePlan } from '../../../support/make-plan.ts';

const job: InspectedJob = {
  ...{ job: '12', phase: 'running', uid: 2001, user: 'alice', image: 'lab/mpi:1', hosts: ['c1', 'c2'] },
  ...{ network: 'vxlan', openedAt: '2026-01-01T00:00:00.000Z', scheduler: 'slurm', schedulerJobId: '12' },
  ...{ imageId: `sha256:${'a'.repeat(64)}`, command: ['sh', '-c', 'echo "\u001b[31mred"'], workdir: '/w' },
  nodes: [
    { index: 0, host: 'c1', ip: '10.0.0.1', slots: 2, phase: 'running' },
    { index: 1, host: 'c2', ip: '10.0.0.2', slots: 2, phase: 'lost', error: 'HOST_UNFIT: no\nroom' },
  ],
  waitsFor: ['One.', 'Two.'],
} as const as never;
const nowMs = Date.parse('2026-01-01T00:04:07.000Z');

it('shows a job with its nodes and waits, and steers no terminal', () => {
  const text = renderInspection([{ kind: 'inspected', job }], nowMs);
  expect(text).toContain('phase    running, 4:07 after it was opened\n');
  expect(text).toContain('now      One.\n         Two.\n');
  expect(text).toMatch(/^1 {5}c2 {4}10\.0\.0\.2 {2}2 {6}lost {5}HOST_UNFIT: no room$/m);
  expect(text).not.toContain('\u001b');
});

it('shows a job that is over, where its time went and who ended it', () => {
  const phaseTimesMs = { gathered: 500, ready: 700, finished: 4000, released: 4200 };
  const end = { by: 'middleware', exitStatus: 75, code: 'NODE_LOST', message: 'c2 is gone.' } as const;
  const usage = [{ index: 0, host: 'c1', cpuSeconds: 2.5, peakMemoryBytes: 2 ** 20 }];
  const record = makeJobRecord({ plan: makePlan(), lateCommand: undefined, end, usage, leftovers: [], phaseTimesMs });
  const text = renderInspection([{ kind: 'record', record }], nowMs);
  expect(text).toContain('2026-01-01 00:00:04 UTC, NODE_LOST (status 75)\n');
  expect(text).toContain('2.5 s of CPU time, at most 1 MiB of memory on a host');
  expect(text).toMatch(/^start containers +0\.50 s {2}\|#{5}\n/m);
  expect(text).toMatch(/^run command +3\.30 s {2}\| {7}#{31}\n/m);
  expect(JSON.parse(inspectionJson([{ kind: 'record', record }]))).toEqual({ record, notes: [] });
});

it('lists jobs as a table, in the order told, and filters them', () => {
  const { waitsFor: _waits, nodes: _nodes, ...first } = job;
  const jobs: readonly ShownJob[] = [
    first,
    { job: '13' as never, phase: 'unknown', hosts: [], note: 'only traces of it are on this host' },
  ];
  const lines = [
    ...jobs.map((each) => ({ kind: 'job', job: each }) as const),
    { kind: 'note', message: 'away' } as const,
  ];
  expect(renderJobs(selectJobs(lines, {}), nowMs).split('\n')).toEqual([
    'JOB  USER   PHASE    TIME  NODES  HOSTS  NETWORK  IMAGE',
    '12   alice  running  4:07  2      c1,c2  vxlan    lab/mpi:1',
    '13   ?      unknown  ?     ?      ?      ?        (only traces of it are on this host)',
    'note: away',
    '',
  ]);
  const found = (filter: object): string[] => selectJobs(lines, filter).jobs.map((each) => each.job);
  expect(found({ user: '2001' })).toEqual(['12']);
  expect(found({ host: 'c2.cluster' })).toEqual(['12']);
  expect(found({ phase: 'unknown' })).toEqual(['13']);
  expect(found({ image: 'mpi', user: 'bob' })).toEqual([]);
  expect(() => found({ phase: 'runing' })).toThrow(
    expect.objectContaining({ code: 'USAGE', hint: expect.stringContaining('Did you mean running?') as unknown }),
  );
});

it.each([
  [0, '0:00'],
  [59_999, '0:59'],
  [3_723_000, '1:02:03'],
  [183_845_000, '2-03:04:05'],
  [-5, '0:00'],
])('%i ms is %s', (milliseconds, text) => expect(formatDuration(milliseconds)).toBe(text));
