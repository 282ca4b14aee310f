import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import type * as callHelper from '../../../src/middleware/call-helper.ts';
import { runJob } from '../../../src/middleware/run-job.ts';
import type { AllocatedHost, Scheduler } from '../../../src/ports/scheduler.ts';
import { JobError } from '../../../src/values/errors.ts';
import type { HelperEvent } from '../../../src/contract/helper-events.ts';
import { requireJobKey } from '../../../src/contract/job-key.ts';

const openJob = vi.hoisted(() => vi.fn<typeof callHelper.openJob>());
vi.mock(import('../../../src/middleware/call-helper.ts'), async (original) => ({ ...(await original()), openJob }));

const missing = new JobError({ code: 'LAUNCHER_FAILED', message: 'srun is not on this host.' });

/** Runs a job on these hosts as far as it goes without a launcher; what it says until then. */
async function runWithoutLauncher(hosts: readonly AllocatedHost[]): Promise<{ said: string[]; error: unknown }> {
  const scheduler: Scheduler = {
    name: 'slurm',
    suspendsBatchScript: false,
    readAllocation: () => ({ scheduler: 'slurm', schedulerJobId: '772', job: requireJobKey('772'), hosts }),
    launchOnEveryHost: () => {
      throw missing;
    },
  };
  const command = { kind: 'argv' as const, argv: ['true'] };
  const request = { command, workdir: tmpdir(), environment: {}, mounts: [] };
  const said: string[] = [];
  const progress = { say: (text: string) => void said.push(text), show: () => undefined, phaseTimesMs: {} };
  const run = runJob({ request, scheduler, environment: {}, uid: process.getuid?.() ?? 0, progress });
  return { said, error: await run.catch((error: unknown) => error) };
}

it('a launcher that is missing is told before the helper is started', async () => {
  // A helper that was started first would be refused or missing, and the job with its words.
  expect((await runWithoutLauncher([{ name: 'node1', slots: 1 }])).error).toBe(missing);
});

it('a command that comes later is asked for when all nodes are ready, and not at the news of one', async () => {
  const told: string[] = [];
  const scheduler: Scheduler = {
    name: 'lsf',
    suspendsBatchScript: true,
    readAllocation: () => ({
      ...{ scheduler: 'lsf', schedulerJobId: '772', job: requireJobKey('772') },
      hosts: [{ name: 'node1', slots: 1 }],
    }),
    launchOnEveryHost: () => ({ file: '/bin/true', argv: [], environment: {} }),
  };
  const network = {
    image: 'hpc/tiny',
    imageId: 'sha256:1',
    driver: 'solo',
    cidr: '10.0.0.0/24',
    devices: [],
    nodes: [],
  };
  const events: HelperEvent[] = [
    { event: 'opened', job: requireJobKey('772'), ...network },
    { event: 'node', index: 0, host: 'node1', phase: 'creating' },
    { event: 'note', message: 'slow' },
    { event: 'gathered' },
    { event: 'ready' },
    { event: 'finished', end: { by: 'command', exitStatus: 0 } },
    { event: 'released', leftovers: [], hosts: 'done', usage: [] },
  ];
  openJob.mockReturnValue({
    order: () => undefined,
    events: Readable.from(events) as AsyncIterable<HelperEvent>,
  });
  await runJob({
    ...{ scheduler, environment: {}, uid: process.getuid?.() ?? 0 },
    request: { command: { kind: 'later' }, workdir: tmpdir(), environment: {}, mounts: [] },
    progress: { say: () => undefined, show: ({ event }) => void told.push(event), phaseTimesMs: {} },
    onReady: () => void told.push('asked'),
  });
  expect(told).toEqual(['opened', 'node', 'note', 'gathered', 'ready', 'asked', 'finished', 'released']);
});

/** Runs a job whose helper says this, by a launcher that does nothing; the outcome, or why there is none. */
async function runWith(
  events: AsyncIterable<HelperEvent>,
  listen?: NonNullable<Parameters<typeof runJob>[0]['listen']>,
  gpus: readonly string[] = [],
): Promise<{ said: string[]; outcome: unknown }> {
  const scheduler: Scheduler = {
    ...{ name: 'lsf', suspendsBatchScript: true },
    readAllocation: () => ({
      ...{ scheduler: 'lsf', schedulerJobId: '772', job: requireJobKey('772') },
      hosts: [{ name: 'node1', slots: 1, gpus }],
    }),
    launchOnEveryHost: () => ({ file: '/bin/true', argv: [], environment: {} }),
  };
  openJob.mockReturnValue({ order: () => undefined, events });
  const said: string[] = [];
  const outcome = await runJob({
    ...{ scheduler, environment: {}, uid: process.getuid?.() ?? 0 },
    request: { command: { kind: 'argv', argv: ['true'] }, workdir: tmpdir(), environment: {}, mounts: [] },
    progress: { say: (text) => void said.push(text), show: () => undefined, phaseTimesMs: {} },
    ...(listen === undefined ? {} : { listen }),
  }).catch((error: unknown) => error);
  return { said, outcome };
}

const openedEvent: HelperEvent = {
  ...{ event: 'opened', job: requireJobKey('772'), image: 'hpc/tiny', imageId: 'sha256:1' },
  ...{ driver: 'solo', cidr: '10.0.0.0/24', devices: [], nodes: [] },
};
const died = new JobError({ code: 'HELPER_LOST', message: 'The helper has died: it was killed (SIGKILL).' });

it.each([
  ['is told when its containers have none', [], true],
  ['is told nothing when they have devices', ['gpu'], false],
])('a job with GPUs %s', async (_name, devices, isTold) => {
  const { said } = await runWith(
    (async function* () {
      await Promise.resolve();
      yield { ...openedEvent, devices };
      yield { event: 'finished', end: { by: 'command', exitStatus: 0 } } as const;
    })(),
    undefined,
    ['0', '1'],
  );
  expect(said.join('\n').includes('note      the job has GPUs (on node1: 0, 1); this site gives containers none')).toBe(
    isTold,
  );
});

describe('a helper that dies', () => {
  it('once it has told how the job ended takes nothing back: only what is left is not known', async () => {
    const { said, outcome } = await runWith(
      (async function* () {
        await Promise.resolve();
        yield openedEvent;
        yield { event: 'finished', end: { by: 'command', exitStatus: 7 } } as const;
        throw died;
      })(),
    );
    expect(outcome).toMatchObject({ end: { by: 'command', exitStatus: 7 } });
    expect(outcome).not.toHaveProperty('leftovers');
    expect(said.join('\n')).toContain('released  not known: The helper has died: it was killed (SIGKILL)');
  });

  it('once it has told how the job ended and then fails itself takes nothing back either', async () => {
    const { outcome } = await runWith(
      (async function* () {
        await Promise.resolve();
        yield openedEvent;
        yield { event: 'finished', end: { by: 'command', exitStatus: 7 } } as const;
        yield { event: 'refused', code: 'BUG', message: 'No space.', exitStatus: 70 } as const;
      })(),
    );
    expect(outcome).toMatchObject({ end: { by: 'command', exitStatus: 7 } });
  });

  it('before it has told so fails the job', async () => {
    const { outcome } = await runWith(
      (async function* () {
        await Promise.resolve();
        yield openedEvent;
        throw died;
      })(),
    );
    expect(outcome).toBe(died);
  });
});

describe('a job that is refused after it was cancelled', () => {
  const refusedWith = async function* (code: string): AsyncGenerator<HelperEvent> {
    await Promise.resolve();
    yield { event: 'refused', code, message: 'refused', exitStatus: 77 };
  };

  it.each([
    ['SIGTERM', 'JOB_NOT_YOURS', 'TERMINATED'],
    ['SIGINT', 'JOB_NOT_YOURS', 'INTERRUPTED'],
    ['SIGTERM', 'IMAGE_NOT_ALLOWED', 'IMAGE_NOT_ALLOWED'],
    [undefined, 'JOB_NOT_YOURS', 'JOB_NOT_YOURS'],
  ] as const)('by %s, with %s, is told as %s', async (signal, told, code) => {
    const { outcome } = await runWith(refusedWith(told), ({ cancel }) => {
      if (signal !== undefined) cancel(signal);
      return { [Symbol.dispose]: () => undefined };
    });
    expect(outcome).toMatchObject({ code });
  });
});
