import { expect, it } from 'vitest';
import type { JobKey } from '../../../src/contract/job-key.ts';
import { findAbandonedLayer } from '../../../src/helper/node/find-abandoned-layer.ts';
import type { ContainerActivity, FoundContainer } from '../../../src/ports/container-engine.ts';

const bounds = { bytes: 1, inodes: 1, reserveBytes: 0 };
const wanted = { job: '7' as JobKey, uid: 2001, name: 'hpcdj-7-node-0', token: 'run', bounds };
const container: FoundContainer = { id: 'c', name: wanted.name, labels: {}, running: false };

/** An engine that gives these answers one after the other, and then that there is no container. */
function engineThat(...answers: readonly (ContainerActivity | 'away')[]) {
  const left = [...answers];
  return {
    left,
    findContainers: () => Promise.resolve(left.length > 0 ? [container] : []),
    findActivity: () => {
      const answer = left.shift();
      return answer === 'away' ? Promise.reject(new Error('away')) : Promise.resolve(answer);
    },
  };
}

it('waits while a container does not run yet or the engine is away, and until it is gone', async () => {
  const engine = engineThat({ kind: 'ended', pid: 0 }, 'away', { kind: 'ended', pid: 0 });
  expect(await findAbandonedLayer(engine, wanted, 1)).toBeUndefined();
  expect(engine.left).toEqual([]);
});

it('takes no container of another name for it', async () => {
  const engine = engineThat({ kind: 'running', pid: 1 });
  expect(await findAbandonedLayer(engine, { ...wanted, name: 'hpcdj-7-node-1' }, 1)).toBeUndefined();
});
