import { expect, it } from 'vitest';
import { describeJobRelease, describeNodeRelease, describeReaped } from '../../../src/helper/release/report-release.ts';
import { requireJobKey } from '../../../src/contract/job-key.ts';

const [job, other] = [requireJobKey('772'), requireJobKey('773_4')];
const left = ['container x'];

it.each([
  [{ wasHere: true, leftovers: [] }, ['job 772: released on this host']],
  [{ wasHere: false, leftovers: [] }, ['job 772: nothing of it to release on this host']],
  [{ wasHere: true, leftovers: left }, []],
])('release-node that found %j says %j', (facts, lines) => {
  expect(describeNodeRelease(job, { ...facts, untold: undefined, unfinished: undefined })).toEqual(lines);
});

it.each([
  [{ wasThere: true, leftovers: [] }, ['job 772: released']],
  [{ wasThere: false, leftovers: [] }, ['job 772: nothing of it to release, neither on this host nor in the store']],
  [{ wasThere: true, leftovers: left }, []],
])('release-job that found %j says %j', (facts, lines) => {
  expect(describeJobRelease(job, facts)).toEqual(lines);
});

it.each([
  [{ released: [job, other], leftovers: [], notes: ['a note'] }, ['released: 772, 773_4']],
  [
    { released: [], leftovers: [], notes: [] },
    ['nothing to release: no job that is over has left anything on this host or in the store'],
  ],
  [{ released: [], leftovers: left, notes: [] }, []],
  [{ released: [], leftovers: [], notes: [], unfinished: ['keys stay'] }, []],
  [{ released: [], leftovers: [], notes: ['job 772 is left alone'] }, []],
])('reap that found %j says %j', (reaped, lines) => {
  expect(describeReaped({ unfinished: [], ...reaped })).toEqual(lines);
});
