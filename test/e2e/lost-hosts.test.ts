/** Hosts that are lost to a running job: by a power failure, or because nobody reaches them any more. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { killHost, setLink } from '../../lab/exec-on-host.ts';
import { findLeftovers } from '../../lab/find-leftovers.ts';
import { bringUp } from '../../lab/lab.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { awaitSlurm } from '../../lab/start-services.ts';
import { e2eLab, e2eLabs } from '../support/e2e-lab.ts';
import { cancelJob, inHostDocker, inMpi, reapOn, startBatch } from '../support/e2e-jobs.ts';
import { untilAsked } from '../support/until.ts';
import { changeSite, quickSite } from '../support/e2e-site.ts';

const lasting = `${inMpi} sh -c 'echo started; sleep 100'`;

let lab: Lab;
beforeAll(async () => {
  lab = await e2eLab();
});
/** Hosts lose what is changed on them with their life; what is not lost is written anew. */
afterAll(async () => void (await bringUp({ name: e2eLabs.shared })));
/** What the hosts could not do themselves is done by the timer of the admin guide. */
afterEach(async () => {
  await awaitSlurm(lab.layout, lab.head);
  await untilAsked('nothing left for the reapers', 60_000, async () => {
    for (const { name } of lab.nodes) await reapOn(lab, name);
    const left = await findLeftovers(lab);
    return left.length === 0 || left.join('; ');
  });
});

describe('a host', () => {
  it('that is cut off ends the job on the others at once, and its own part when it is back', async () => {
    await changeSite(lab, quickSite);
    const job = await startBatch(lab, lasting);
    await job.shows('started', 'out');
    await setLink(lab, 'node3', 'down');
    try {
      await job.shows(`${job.id}-node-2 on host node3: its helper has died, or its host is down`, 'err', 60_000);
      expect(await job.stderr()).toContain('[NODE_LOST]');
      for (const host of ['node1', 'node2']) expect(await inHostDocker(lab, host, 'ps', '--all', '--quiet')).toBe('');
    } finally {
      await setLink(lab, 'node3', 'up');
    }
    await untilAsked('the end of the container on node3', 60_000, async () => {
      const left = await inHostDocker(lab, 'node3', 'ps', '--all', '--quiet');
      return left === '' || left;
    });
  });

  it('that dies ends the job on the others, and has nothing of it when it is back', async () => {
    await changeSite(lab, quickSite);
    const job = await startBatch(lab, lasting);
    await job.shows('started', 'out');
    await killHost(lab, 'node3');
    try {
      await job.shows(`${job.id}-node-2 on host node3: its helper has died, or its host is down`, 'err', 60_000);
      for (const host of ['node1', 'node2']) expect(await inHostDocker(lab, host, 'ps', '--all', '--quiet')).toBe('');
    } finally {
      lab = await bringUp({ name: e2eLabs.shared });
    }
  });

  it('that keeps the job dies, ends the job on the others, and has nothing of it when it is back', async () => {
    await changeSite(lab, quickSite);
    const job = await startBatch(lab, lasting);
    await job.shows('started', 'out');
    await killHost(lab, 'node1');
    try {
      for (const host of ['node2', 'node3'])
        await untilAsked(`the end of the container on ${host}`, 60_000, async () => {
          const left = await inHostDocker(lab, host, 'ps', '--all', '--quiet');
          return left === '' || left;
        });
    } finally {
      lab = await bringUp({ name: e2eLabs.shared });
    }
    // Slurm has put it back into its queue: what it has left waits for its second run, which shall not be.
    await cancelJob(lab, job.id);
  });
});
