import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { boundBy, DeadlineError, until, within } from '../../../lab/machine/deadline.ts';
import type { Host } from '../../../lab/machine/guest.ts';
import { guestPlaces } from '../../../lab/machine/guest-files.ts';
import { judgePlacement } from '../../../lab/machine/placement.ts';
import type { Placement } from '../../../lab/machine/placement.ts';

const [place] = guestPlaces;
if (place === undefined) throw new Error('There is no place for a guest.');

/** A host whose commands never end by themselves. */
const hanging: Host = {
  place,
  run: async (_, options) => await hang(options?.signal),
  tryRun: async (_, options) => await hang(options?.signal),
};

async function hang(signal: AbortSignal | undefined): Promise<never> {
  await sleep(60_000, undefined, { ref: false }).catch(() => undefined);
  signal?.throwIfAborted();
  throw new Error('hung to its end');
}

const abortable: Host = {
  ...hanging,
  run: async (_, options) =>
    await new Promise((_resolve, reject) => {
      const { signal } = options ?? {};
      signal?.addEventListener('abort', () => reject(signal.reason as Error));
    }),
};

it('says what a case waited for when its deadline passes', async () => {
  const late = within(0.05, async (signal) => {
    const host = boundBy(signal, abortable);
    return await until({ what: 'job 7 to end' }, async () => await host.run('squeue'));
  });
  await expect(late).rejects.toThrow('No end after 0.05 s. It waited for job 7 to end.');
  await expect(late).rejects.toBeInstanceOf(DeadlineError);
});

it('ends a case that keeps to no signal a little later', async () => {
  await expect(within(0.05, async () => await hanging.run('sleep'))).rejects.toThrow('No end after 0.05 s.');
});

it('returns what a case returns, and its own failure as it is', async () => {
  await expect(within(5, () => Promise.resolve('remark'))).resolves.toBe('remark');
  await expect(within(5, () => Promise.reject(new Error('red')))).rejects.toThrow('red');
});

const max = { memoryMax: 'max', memoryCurrent: '1', pidsMax: 'max', cpus: '0-1', cpuMax: 'max 100000' };
const job = '/system.slice/node1_slurmstepd.scope/job_7';
const limited = { ...max, memoryMax: '629145600' };
const below: Placement = {
  own: { ...limited, path: `${job}/${'a'.repeat(64)}`, pidsMax: '512' },
  parent: { ...limited, path: job, cpus: '0' },
  steps: '',
};
const beside: Placement = {
  own: { ...limited, path: '/system.slice/docker-aa.scope', pidsMax: '512', cpuMax: '100000 100000' },
  parent: { ...max, path: '/system.slice' },
  steps: '',
};

it('takes a container that is limited where it must be', () => {
  expect(judgePlacement(below, '7', 'cgroupfs')).toBeUndefined();
  expect(judgePlacement(beside, '7', 'systemd')).toBeUndefined();
});

it.each([
  ['another job', { ...below }, '8', 'cgroupfs', /The container is in/],
  ['no job at all', { ...beside }, '7', 'cgroupfs', /The container is in/],
  [
    'no memory limit of the job',
    { ...below, parent: { ...below.parent, memoryMax: 'max' } },
    '7',
    'cgroupfs',
    /max, not/,
  ],
  ['both processors', { ...below, parent: { ...below.parent, cpus: '0-1' } }, '7', 'cgroupfs', /one processor/],
  ['no pids limit', { ...below, own: { ...below.own, pidsMax: 'max' } }, '7', 'cgroupfs', /limit of processes/],
  ['no limits of its own', { ...beside, own: { ...max, path: beside.own.path } }, '7', 'systemd', /max, not/],
  ['two processors', { ...beside, own: { ...beside.own, cpuMax: '200000 100000' } }, '7', 'systemd', /one processor/],
] as const)('refuses a container with %s', (_, placement, id, driver, reason) => {
  expect(judgePlacement(placement, id, driver)).toMatch(reason);
});
