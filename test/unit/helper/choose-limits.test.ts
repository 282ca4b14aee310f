import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { chooseLimits } from '../../../src/helper/node/choose-limits.ts';
import type { JobPlace } from '../../../src/helper/node/choose-limits.ts';
import type { JobShare } from '../../../src/ports/scheduler.ts';
import { makePlan } from '../../support/make-plan.ts';

const plan = makePlan({ hosts: ['c1'] });
const node = plan.nodes[0]!;
const cgroup = { path: '/slurm/uid_2001/job_7', schedulerJobId: '12', uid: 2001 };
const inside: JobPlace = { cgroup, cgroupParent: undefined, share: undefined };
const mib = 1024 ** 2;

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'choose-limits-'))));
afterEach(() => rmSync(root, { recursive: true }));
const put = (file: string, text: string): void => {
  mkdirSync(join(root, file, '..'), { recursive: true });
  writeFileSync(join(root, file), text);
};
const putMemory = (text: string): void => put(`memory${cgroup.path}/memory.limit_in_bytes`, text);

/** The limits where Slurm says that the job has this much of the host. */
async function choose(place: JobPlace, share?: JobShare, isSwapping = false) {
  const authority = {
    confirmJob: async () =>
      await Promise.resolve({ job: plan.job, schedulerJobId: '12', uid: plan.user.uid, hosts: ['c1'] }),
    readShare: async () => await Promise.resolve(share),
  };
  const context = { authorities: { of: () => authority } } as unknown as Parameters<typeof chooseLimits>[0];
  return await chooseLimits(
    context,
    { site: parseSite('version: 1'), plan, node },
    place,
    root,
    async () => await Promise.resolve(isSwapping),
  );
}

describe('a container below the job’s cgroup', () => {
  const below = { ...inside, cgroupParent: cgroup.path };

  it('has the job’s memory as its own, for programs that size themselves by it', async () => {
    putMemory(`${700 * mib}\n`);
    expect(await choose(below)).toEqual({ sharedMemoryBytes: 700 * mib });
  });

  it.each(['9223372036854771712', '4096', ''])('has none of its own where the job’s is %j', async (text) => {
    putMemory(text);
    expect(await choose(below, undefined, true)).toEqual({});
  });

  it('is refused where that cannot hold our own programs, and the host cannot swap', async () => {
    putMemory(`${100 * mib}\n`);
    await expect(choose(below)).rejects.toMatchObject({ code: 'OUT_OF_MEMORY', exitStatus: 65 });
    expect(await choose(below, undefined, true)).toEqual({ sharedMemoryBytes: 100 * mib });
  });
});

describe('a container that cannot live there', () => {
  it('has the limits of the job’s cgroup', async () => {
    putMemory(`${700 * mib}\n`);
    put(`cpuset${cgroup.path}/cpuset.cpus`, '0\n');
    // One processor of one is no limit of the cgroup: then the scheduler is asked.
    const ofOne = { memoryBytes: 700 * mib, cpus: 1 };
    expect(await choose(inside, { cpus: 1, memoryBytes: 100 * mib })).toEqual(
      cpus().length === 1 ? ofOne : { memoryBytes: 700 * mib, cpuset: '0' },
    );
  });

  it('has what Slurm says where the cgroup limits nothing, or there is none', async () => {
    const share = { cpus: 1, memoryBytes: 500 * mib };
    const limits = { cpus: 1, memoryBytes: 500 * mib };
    expect(await choose(inside, share)).toEqual(limits);
    expect(await choose({ ...inside, cgroup: undefined }, share)).toEqual(limits);
    putMemory(`${300 * mib}\n`);
    expect(await choose(inside, share)).toEqual({ cpus: 1, memoryBytes: 300 * mib });
  });

  it('is refused where nobody tells any', async () => {
    await expect(choose(inside)).rejects.toMatchObject({
      code: 'HOST_UNFIT',
      hint: expect.stringContaining('native.cgroupdriver=cgroupfs') as string,
    });
  });
});
