import { describe, expect, it } from 'vitest';
import { outcomeJson, refusalJson } from '../../../src/middleware/outcome.ts';
import type { Outcome } from '../../../src/middleware/outcome.ts';
import type { ErrorCode } from '../../../src/values/errors.ts';
import { JobError } from '../../../src/values/errors.ts';
import { requireJobKey } from '../../../src/contract/job-key.ts';

const nodes = [{ index: 0, host: 'node1', ip: '10.140.26.1', slots: 2 }];
const outcome: Outcome = {
  job: '772',
  scheduler: 'slurm',
  opened: {
    event: 'opened',
    job: requireJobKey('772'),
    image: 'hpc/app:1',
    imageId: 'sha256:ab',
    driver: 'solo',
    cidr: '10.140.26.0/24',
    devices: [],
    nodes,
  },
  end: { by: 'command', exitStatus: 7 },
  leftovers: [],
  usage: [{ index: 0, host: 'node1', cpuSeconds: 1.5, peakMemoryBytes: 4096 }],
  phaseTimesMs: { opened: 5 },
};
const common = {
  ...{ job: '772', scheduler: 'slurm', image: 'hpc/app:1', imageId: 'sha256:ab', nodes, leftovers: [] },
  usage: {
    cpuSeconds: 1.5,
    peakMemoryBytes: 4096,
    nodes: [{ index: 0, host: 'node1', cpuSeconds: 1.5, peakMemoryBytes: 4096 }],
  },
  ...{ network: { driver: 'solo', cidr: '10.140.26.0/24' }, phaseTimesMs: { opened: 5 } },
};

describe('the JSON outcome', () => {
  it('of a job that its command has ended has the documented keys', () => {
    expect(JSON.parse(outcomeJson(outcome))).toEqual({ ...common, endedBy: 'command', exitStatus: 7 });
  });

  it('of a job that was ended says by which error', () => {
    const end = { by: 'middleware', exitStatus: 75, code: 'NODE_LOST', message: 'Lost.', hint: 'Again.' } as const;
    const error = { code: 'NODE_LOST', message: 'Lost.', hint: 'Again.' };
    const expected = { ...common, endedBy: 'middleware', exitStatus: 75, error };
    expect(JSON.parse(outcomeJson({ ...outcome, end }))).toEqual(expected);
  });

  it.each<[ErrorCode, number, object]>([
    ['IMAGE_NOT_ALLOWED', 77, { leftovers: [] }],
    ['HELPER_LOST', 75, {}],
    ['BUG', 70, {}],
  ])('of %s tells of leftovers only where they are known', (code, exitStatus, leftovers) => {
    const error = new JobError({ code, message: 'What.' });
    const expected = { endedBy: 'middleware', exitStatus, error: { code, message: 'What.' }, ...leftovers };
    expect(JSON.parse(refusalJson(error))).toEqual(expected);
  });
});
