import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { heedTaskEnds } from '../../../src/helper/keeper/heed-task-ends.ts';
import type { EndedTasks } from '../../../src/helper/keeper/launcher-error.ts';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import { jobFieldKey, nodeFieldKey } from '../../../src/contract/kvs-keys.ts';
import { makePlan } from '../../support/make-plan.ts';
import { jobStoreIn } from '../../support/job-store.ts';
import { parseJobState } from '../../../src/helper/job/job-state.ts';

const plan = makePlan({ hosts: ['c1', 'c2'] });
const graceMs = 20;

/** What the words of a launcher on these tasks make of a job with these keys. */
async function heed(tasks: Partial<EndedTasks>, keys: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const store = createMemoryStore();
  const all = {
    [jobFieldKey('', plan.job, 'PLAN')]: JSON.stringify(plan),
    [jobFieldKey('', plan.job, 'FINISH')]: 'FALSE',
    ...keys,
  };
  await store.commit({ puts: Object.entries(all).map(([key, value]) => ({ key, value })) });
  const told = { hosts: ['c2'], how: 'was killed (Killed)', detail: '', ...tasks };
  const over = new AbortController();
  const orders = { onTaskEnd: (handler: (end: EndedTasks) => void) => handler(told) };
  const gone = heedTaskEnds(orders, { jobStore: jobStoreIn(store, plan), plan, over: over.signal }, graceMs);
  await pause(5 * graceMs);
  over.abort();
  return gone.aborted ? gone.reason : undefined;
}

it.each([
  ['killed', {}, 'NODE_LOST', '12-node-1 on host c2 (not started): its helper was killed (Killed).'],
  [
    'killed by the kernel for want of memory',
    { how: 'was killed (Out Of Memory)' },
    ...(['OUT_OF_MEMORY', '12-node-1 on host c2: memory ran out there, and the kernel killed its helper.'] as const),
  ],
  ['killed, told by a status', { how: 'ended with exit status 137' }, 'NODE_LOST', 'its helper was ended (SIGKILL).'],
  ['killed, by its long name', { hosts: ['c2.example.org'] }, 'NODE_LOST', 'on host c2'],
  ['unfit', { how: 'ended with exit status 1', detail: 'sudo: no' }, 'LAUNCHER_FAILED', 'exit status 1: sudo: no.'],
  [
    'gone with a reason of its own',
    { how: 'ended with exit status 78', detail: 'hpc-dockerjob-helper: site.yaml is odd. [CONFIG_INVALID]\n' },
    ...(['CONFIG_INVALID', '12-node-1 on host c2: site.yaml is odd.'] as const),
  ],
  [
    'refused a step by Slurm',
    { how: 'could not be started (Invalid job credential)' },
    ...(['LAUNCHER_FAILED', "Slurm did not take the call for the job's own."] as const),
  ],
  [
    'on a host that Slurm does not reach',
    { how: 'could not be started (Communication connection failure)' },
    'NODE_LOST',
    "12-node-1 on host c2 (not started): the scheduler's launcher did not reach it: could not be started (Comm",
  ],
  [
    'on a host that a launcher of its own does not reach',
    { how: 'ended with exit status 1', detail: 'x\nerror: commlib error: got select error (No route to host)\n' },
    ...(['NODE_LOST', 'did not reach it: error: commlib error: got select error (No route to host).'] as const),
  ],
  [
    'unfit, while another host is not reached',
    { how: 'ended with exit status 1', detail: 'ssh: connect to host c1 port 22: No route to host' },
    ...(['LAUNCHER_FAILED', 'its helper ended with exit status 1'] as const),
  ],
  [
    'refused by sudo, which cannot resolve a name',
    { how: 'ended with exit status 1', detail: 'sudo: unable to resolve host c2\nsudo: a password is required\n' },
    ...(['LAUNCHER_FAILED', 'a password is required'] as const),
  ],
  ['lost', { how: 'is lost (node failure)' }, 'NODE_LOST', 'its helper is lost (node failure).'],
])(
  'a helper that is %s before the command begins ends the job, and its host is named',
  async (_, tasks, code, words) => {
    expect(await heed(tasks)).toMatchObject({ code, message: expect.stringContaining(words) as string });
  },
);

it.each([
  ['no host of the job', { hosts: ['c3'] }, {}],
  ['a node that has said itself what is wrong', {}, { [nodeFieldKey('', plan.job, 1, 'ERROR')]: 'HOST_UNFIT: odd' }],
  ['a job whose command may have written such words', {}, { [jobFieldKey('', plan.job, 'START')]: 'TRUE' }],
  ['a job that has ended', {}, { [jobFieldKey('', plan.job, 'FINISH')]: 'TRUE' }],
] as const)('word on %s ends nothing', async (_, tasks, keys) => expect(await heed(tasks, keys)).toBeUndefined());

it('a node that is gone though it had begun is told with its phase', async () => {
  const keys = { [nodeFieldKey('', plan.job, 1, 'PHASE')]: 'creating', [nodeFieldKey('', plan.job, 1, 'HOST')]: 'c2' };
  expect(await heed({}, keys)).toMatchObject({ message: expect.stringContaining('c2 (creating)') as string });
});

it('asks the store once in a while only, however many words come, and hears each of the first', async () => {
  const entries = [
    { key: jobFieldKey('', plan.job, 'PLAN'), value: JSON.stringify(plan) },
    { key: jobFieldKey('', plan.job, 'FINISH'), value: 'FALSE' },
  ];
  let reads = 0;
  const jobStore = {
    read: async () => await Promise.resolve(((reads += 1), parseJobState('', plan.job, entries))),
  };
  const over = new AbortController();
  let say: (end: EndedTasks) => void = () => undefined;
  const orders = { onTaskEnd: (handler: (end: EndedTasks) => void) => void (say = handler) };
  const gone = heedTaskEnds(orders, { jobStore, plan, over: over.signal }, graceMs);
  const told = (host: string): EndedTasks => ({ hosts: [host], how: 'was killed (Killed)', detail: '' });
  for (let count = 0; count < 10_000; count += 1) say(told('c3'));
  await pause(3 * graceMs);
  expect([reads, gone.aborted]).toEqual([1, false]);
  say(told('c3'));
  say(told('c2'));
  await pause(3 * graceMs);
  over.abort();
  expect([reads, gone.aborted]).toEqual([2, true]);
});
