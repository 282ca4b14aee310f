import { expect, it } from 'vitest';
import type { JobEnd } from '../../../../src/contract/helper-events.ts';
import type { JobRecord } from '../../../../src/contract/job-record.ts';
import { makeJobRecord } from '../../../../src/helper/records/make-record.ts';
import { describeEnds } from '../../../../src/helper/show/count-ends.ts';
import { sumRecords, renderReport } from '../../../../src/middleware/jobs/sum-records.ts';
import { writePrometheusText } from '../../../../src/values/prometheus-text.ts';
import { makePlan } from '../../../support/make-plan.ts';

function record(end: JobEnd, finished: number, more: Partial<JobRecord> = {}): JobRecord {
  const phaseTimesMs = { gathered: 500, ready: 700, finished, released: finished + 200 };
  const usage = [{ index: 0, host: 'c1', cpuSeconds: 1800 }];
  return {
    ...makeJobRecord({ plan: makePlan(), lateCommand: undefined, end, usage, leftovers: [], phaseTimesMs }),
    ...more,
  };
}

const lost: JobEnd = { by: 'middleware', exitStatus: 75, code: 'NODE_LOST', message: 'c1 is gone.' };
const records = [
  record({ by: 'command', exitStatus: 0 }, 3_600_000),
  record({ by: 'command', exitStatus: 0 }, 1700, { user: 'bob' }),
  record({ by: 'command', exitStatus: 3 }, 2700),
  record(lost, 3700, { leftovers: ['a container'], phaseTimesMs: { finished: 3700, released: 4000 } }),
];

it('metrics tell how jobs ended, how long their phases took and what was left', () => {
  const text = writePrometheusText(describeEnds(records));
  expect(text).toContain('# TYPE hpc_dockerjob_ended_jobs gauge\n');
  for (const line of [
    'hpc_dockerjob_ended_jobs{end="ok"} 2',
    'hpc_dockerjob_ended_jobs{end="command failed"} 1',
    'hpc_dockerjob_ended_jobs{end="NODE_LOST"} 1',
    'hpc_dockerjob_phase_seconds{phase="start",quantile="0.5"} 0.5',
    'hpc_dockerjob_phase_seconds{phase="command",quantile="0.5"} 2',
    'hpc_dockerjob_phase_seconds{phase="command",quantile="0.99"} 3599.3',
    'hpc_dockerjob_unclean_jobs 1',
  ])
    expect(text.split('\n')).toContain(line);
});

it('a label’s value cannot end its line', () => {
  const samples = [{ labels: { host: 'a"\n\\b' }, value: 1 }];
  expect(writePrometheusText([{ name: 'x', help: 'Two\nlines.', samples }])).toBe(
    '# HELP x Two\\nlines.\n# TYPE x gauge\nx{host="a\\"\\n\\\\b"} 1\n',
  );
});

it('a report sums jobs, host hours and CPU hours by what is asked', () => {
  const rows = sumRecords(records, 'user');
  expect(rows.map(({ value, jobs, ok, failed, broken }) => [value, jobs, ok, failed, broken])).toEqual([
    ['alice', 3, 1, 1, 1],
    ['bob', 1, 1, 0, 0],
  ]);
  expect(renderReport(rows, 'user').split('\n').slice(0, 2)).toEqual([
    'USER   JOBS  OK  FAILED  BROKEN  HOST-HOURS  CPU-HOURS',
    'alice  3     1   1       1       1.00        1.50',
  ]);
  expect(sumRecords(records, 'end').map(({ value }) => value)).toEqual(['ok', 'command failed', 'NODE_LOST']);
  expect(sumRecords([], 'day')).toEqual([]);
});
