import { describe, expect, it } from 'vitest';
import type { JobPlan } from '../../../../src/contract/job-plan.ts';
import type { JobState, NodeState } from '../../../../src/helper/job/job-state.ts';
import { findPhase } from '../../../../src/helper/show/find-phase.ts';
import { findWaits } from '../../../../src/helper/show/find-waits.ts';
import { makePlan } from '../../../support/make-plan.ts';

const plan = makePlan({ hosts: ['c1', 'c2', 'c3'] });

function node(index: number, more: Partial<NodeState> = {}): [number, NodeState] {
  const unknown = {
    ip: undefined,
    sshPublicKey: undefined,
    hostPublicKey: undefined,
    usage: undefined,
    fetched: undefined,
  };
  return [index, { index, ...unknown, isReady: false, phase: 'creating', isLost: false, error: undefined, ...more }];
}

const told = { sshPublicKey: 'k', hostPublicKey: 'h', phase: 'discovering' } as const;
const ready = { ...told, phase: 'ready', isReady: true } as const;

function state(more: Partial<JobState>): JobState {
  return {
    ...{ finish: 'running', end: undefined, plan, hasKeeper: true, roster: undefined, hasStarted: false },
    ...{ lateCommand: undefined, signals: [], wanted: undefined, nodes: new Map() },
    ...more,
  };
}

const late: JobPlan = { ...plan, command: { kind: 'later' } };
const allReady = new Map([node(0, ready), node(1, ready), node(2, ready)]);

interface Case {
  readonly of: string;
  readonly given: Partial<JobState>;
  readonly plan?: JobPlan;
  readonly phase: string;
  readonly says: readonly string[];
}

const cases: readonly Case[] = [
  {
    of: 'a host that never began, one that makes its container and one whose agent is silent',
    given: { nodes: new Map([node(1), node(2, { phase: 'discovering' })]) },
    phase: 'starting',
    says: [
      "Node 0 (c1) has not begun: the scheduler's launcher has not started the helper there.",
      'Node 1 (c2) makes its container.',
      'Node 2 (c3) has a container that has not told the keys yet.',
    ],
  },
  {
    of: 'hosts that fetch the image',
    given: { nodes: new Map([node(0), node(1, { phase: 'fetching' }), node(2, { phase: 'fetching' })]) },
    phase: 'starting',
    says: ['Nodes 1 (c2), 2 (c3) fetch the image.', 'Node 0 (c1) makes its container.'],
  },
  {
    of: 'a link that is being tested',
    given: { roster: '[]', nodes: new Map([node(0, told), node(1, ready), node(2, ready)]) },
    phase: 'discovering',
    says: ['Node 0 (c1) has not said yet that the others can be reached.'],
  },
  {
    of: 'a script that has not come to its call',
    given: { roster: '[]', nodes: allReady },
    plan: late,
    phase: 'ready',
    says: ['All its nodes are ready. The batch script has not called hpc-submit-dockerjob yet.'],
  },
  {
    of: 'a command that runs, with a dead helper and without a keeper',
    given: { roster: '[]', hasStarted: true, hasKeeper: false, nodes: new Map([node(1, { isLost: true })]) },
    phase: 'running',
    says: [
      'Nobody keeps it any more: its hosts end it as soon as its lease has run out.',
      'The helper of node 1 (c2) has died: the job is about to end.',
      'Its command runs on node 0 (c1).',
    ],
  },
  {
    of: 'a suspended job',
    given: { hasStarted: true, wanted: 'suspended' },
    phase: 'suspended',
    says: ['It is suspended, and goes on when the scheduler resumes it.'],
  },
  {
    of: 'a job that is being taken away',
    given: { finish: 'finished', nodes: new Map([node(0, { phase: 'released' }), node(1, { phase: 'stopping' })]) },
    phase: 'ending',
    says: [
      'It is over. Something of it may still be there: 12-node-1 on host c2 (last seen stopping); 12-node-2 on host c3 (last seen planned).',
    ],
  },
];

describe('the phase and the waits of a job', () => {
  it.each(cases)('$of', ({ given, plan: ofJob = plan, phase, says }) => {
    expect(findPhase(ofJob, state(given))).toBe(phase);
    expect(findWaits(ofJob, state(given))).toEqual(says);
  });

  it('name no more than eight nodes of many', () => {
    const large = makePlan({ hosts: Array.from({ length: 100 }, (_, index) => `c${index}`) });
    const [wait = ''] = findWaits(large, state({}));
    expect(wait).toMatch(/^Nodes 0 \(c0\), .*7 \(c7\) and 92 more have not begun/);
  });
});
