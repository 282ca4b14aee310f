/** Whose jobs a caller sees: his own alone, whatever the store, the containers and the records hold. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parseSite } from '../../../../src/config/parse-site.ts';
import { labels } from '../../../../src/contract/labels.ts';
import type { ShownLine } from '../../../../src/contract/shown-job.ts';
import type { Caller } from '../../../../src/helper/caller/identify-caller.ts';
import { makeJobRecord } from '../../../../src/helper/records/make-record.ts';
import { inspectJob } from '../../../../src/helper/show/inspect-job.ts';
import { listJobs, mayBeFor } from '../../../../src/helper/show/list-jobs.ts';
import { asJobError } from '../../../../src/values/errors.ts';
import { makePlan } from '../../../support/make-plan.ts';

const alice: Caller = { kind: 'user', uid: 2001 };
const bob: Caller = { kind: 'user', uid: 2002 };
const root: Caller = { kind: 'root' };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-records-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

interface Given {
  readonly caller: Caller;
  readonly isPaused?: boolean;
  readonly containers?: readonly string[];
}

/** A host without a store, on which job 41's container is alice's. */
function asking({ caller, isPaused = false, containers = ['41'] }: Given): never {
  const found = containers.map((job) => ({
    ...{ id: `id-${job}`, name: `hpcdj-${job}-node-0`, running: true },
    labels: { [labels.job]: job, [labels.node]: '0', [labels.uid]: '2001', [labels.schedulerJob]: job },
  }));
  return {
    site: parseSite(`{version: 1, records: {directory: ${JSON.stringify(directory)}}}`),
    caller,
    network: () => ({ findJobs: () => Promise.resolve([]) }),
    authorities: { findOwners: () => Promise.resolve([]) },
    engine: {
      findContainers: ({ [labels.job]: job }: Record<string, string>) =>
        Promise.resolve(found.filter((each) => job === undefined || each.labels[labels.job] === job)),
      findActivity: () => Promise.resolve({ kind: isPaused ? 'paused' : 'running', pid: 1 }),
    },
  } as never;
}

const ofJobs = (lines: readonly ShownLine[]): unknown[] =>
  lines.flatMap((line) => (line.kind === 'job' ? [[line.job.job, line.job.phase]] : []));

it('a list has the caller’s own jobs; root’s has all', async () => {
  expect(ofJobs(await listJobs(asking({ caller: alice, isPaused: true })))).toEqual([['41', 'suspended']]);
  expect(ofJobs(await listJobs(asking({ caller: bob })))).toEqual([]);
  expect(ofJobs(await listJobs(asking({ caller: root })))).toEqual([['41', 'unknown']]);
});

async function writeRecords(...jobs: readonly string[]): Promise<void> {
  const lines = jobs.map((job) => {
    const plan = { ...makePlan(), job: job as never, schedulerJobId: job };
    const phaseTimesMs = { gathered: 500, ready: 700, finished: 4000, released: 4200 };
    const end = { by: 'command', exitStatus: 3 } as const;
    return JSON.stringify(makeJobRecord({ plan, lateCommand: undefined, end, usage: [], leftovers: [], phaseTimesMs }));
  });
  await writeFile(`${directory}/c1.jsonl`, ['no record', '{"job":"7"}', ...lines, '{"job":"7", torn'].join('\n'));
}

async function inspect(caller: Caller, job: string, containers?: readonly string[]): Promise<unknown> {
  const given = { caller, ...(containers && { containers }) };
  return await inspectJob(asking(given), job as never).then(
    (lines) => lines.map(({ kind }) => kind),
    (error: unknown) => [asJobError(error).code, asJobError(error).message.replaceAll(job, 'N')],
  );
}

it('another’s job, one that is over and one that never was get the same words', async () => {
  await writeRecords('7');
  const refusal = ['JOB_NOT_YOURS', 'Job N belongs to another user, or there is no such job.'];
  expect(await inspect(bob, '41')).toEqual(refusal);
  expect(await inspect(bob, '7')).toEqual(refusal);
  expect(await inspect(bob, '999')).toEqual(refusal);
  expect(await inspect(alice, '999')).toEqual(refusal);
});

it('its owner and root are told of a job that is there, and of one that is over by its last record', async () => {
  await writeRecords('7', '8', '7');
  for (const caller of [alice, root]) {
    expect(await inspect(caller, '41')).toEqual(['inspected']);
    expect(await inspect(caller, '7')).toEqual(['record']);
  }
});

it.each([
  ['its own user', alice, { uid: 2001 }, true],
  ['another user', bob, { uid: 2001 }, false],
  ['root', root, { uid: 2001 }, true],
  ['anybody, of an earlier release', bob, {}, true],
] as const)('the keys behind a claim are read for %s: %o', (_, caller, claim, isRead) => {
  expect(mayBeFor(caller, claim)).toBe(isRead);
});
