/** Whose container may be entered: by root's own objects, never by what a caller, an image or the store alone says. */
import { hostname } from 'node:os';
import { expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { labels } from '../../../src/contract/labels.ts';
import type { Caller } from '../../../src/helper/caller/identify-caller.ts';
import { findEnteredNode } from '../../../src/helper/enter/find-entered-node.ts';
import type { JobState } from '../../../src/helper/job/job-state.ts';
import { makePlan } from '../../support/make-plan.ts';

const plan = makePlan({ hosts: [hostname(), 'elsewhere'] });
const owner = plan.user.uid;
const container = {
  id: 'c'.repeat(64),
  name: 'hpcdj-12-node-0',
  running: true,
  labels: {
    [labels.job]: '12',
    [labels.node]: '0',
    [labels.uid]: String(owner),
    [labels.token]: plan.token,
  } as Readonly<Record<string, string>>,
};
const running: JobState = {
  ...{ finish: 'running', end: undefined, plan, hasKeeper: true, roster: '[]', hasStarted: true },
  ...{ lateCommand: undefined, signals: [], wanted: undefined, nodes: new Map() },
};

interface Given {
  readonly index?: number;
  readonly caller?: Caller;
  readonly owners?: readonly number[];
  readonly container?: Partial<typeof container> | 'none';
  readonly activity?: 'running' | 'paused' | 'ended';
  readonly state?: Partial<JobState> | 'hangs';
}

async function find(given: Given): Promise<unknown> {
  const { activity = 'running', caller = { kind: 'user', uid: owner }, owners = [owner], state = {} } = given;
  const found = given.container === 'none' ? [] : [{ ...container, ...given.container }];
  const asking = {
    site: parseSite('version: 1'),
    caller,
    authorities: { findOwners: () => Promise.resolve(owners) },
    engine: {
      findContainers: () => Promise.resolve(found),
      findActivity: () => Promise.resolve({ kind: activity, pid: 4711 }),
    },
  };
  const readState = (): Promise<JobState> =>
    state === 'hangs' ? new Promise(() => undefined) : Promise.resolve({ ...running, ...state });
  return await findEnteredNode(asking as never, plan.job, given.index ?? 0, readState);
}

const withLabel = (name: keyof typeof labels, value: string): Given => ({
  container: { labels: { ...container.labels, [labels[name]]: value } },
});
const bob: Caller = { kind: 'user', uid: owner + 1 };
const ofBob = { ...plan, user: { ...plan.user, uid: owner + 1 } };

it.each<[string, Given]>([
  ['its owner', {}],
  ['root', { caller: { kind: 'root' }, owners: [] }],
])('lets %s in', async (_, given) => {
  expect(await find(given)).toMatchObject({ containerId: container.id, containerPid: 4711, node: { index: 0 } });
});

it.each<[string, Given, string, RegExp]>([
  ['another user', { caller: bob }, 'JOB_NOT_YOURS', /belongs to another user, or there is no such job/],
  ['another user, of a paused job', { caller: bob, activity: 'paused' }, 'JOB_NOT_YOURS', /no such job/],
  ['another user, of a job elsewhere', { caller: bob, container: 'none' }, 'JOB_NOT_YOURS', /no such job/],
  [
    'another user, whom the scheduler takes for the owner now',
    { caller: bob, owners: [bob.uid] },
    'JOB_NOT_YOURS',
    /no such job/,
  ],
  [
    'who has no such job',
    { container: 'none', state: { plan: undefined }, owners: [] },
    'JOB_NOT_YOURS',
    /no such job/,
  ],
  ['whose container is of an earlier run', withLabel('token', 'f'.repeat(32)), 'JOB_NOT_YOURS', /no such job/],
  ['whose container is of a run before another user’s', { state: { plan: ofBob } }, 'JOB_NOT_YOURS', /no such job/],
  [
    'root, where plan and container are of two users',
    { caller: { kind: 'root' }, state: { plan: ofBob } },
    'JOB_NOT_YOURS',
    /no such job/,
  ],
  [
    'whose job is paused, though its store does not answer',
    { activity: 'paused', state: 'hangs' },
    'JOB_BUSY',
    /suspended/,
  ],
  ['whose job is to be suspended', { state: { wanted: 'suspended' } }, 'JOB_BUSY', /suspended/],
  ['whose job has not started', { state: { hasStarted: false } }, 'JOB_BUSY', /runs no command/],
  ['whose job has ended', { state: { finish: 'finished' } }, 'JOB_BUSY', /runs no command/],
  ['whose job has lost its keeper', { state: { finish: 'absent' } }, 'JOB_BUSY', /runs no command/],
  ['whose container has ended', { activity: 'ended' }, 'JOB_BUSY', /runs no command/],
  ['whose container is not there yet', { container: 'none' }, 'JOB_BUSY', /runs no command/],
  ['who asks for a node elsewhere', { index: 1 }, 'USAGE', /Node 1 of job 12 is on host elsewhere, and this is/],
  ['who asks for a node that is not', { index: 2 }, 'USAGE', /has no node 2: its nodes are 0 to 1/],
])('lets nobody in %s', async (_, given, code, message) => {
  await expect(find(given)).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
});

it('does not take the container through which an image is looked at for the node', async () => {
  const given: Given = { container: { name: 'hpcdj-12-node-0-image' } };
  await expect(find(given)).rejects.toMatchObject({ code: 'JOB_BUSY' });
});
