import { access, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hierarchiesBelow, listHierarchies } from '../../../src/cgroup/hierarchies.ts';
import { holdParent, removeEmptyCgroups, removeJobCgroups } from '../../../src/cgroup/sweep.ts';
import { sweepOldCgroups } from '../../../src/helper/release/sweep-old-cgroups.ts';
import { findJobCgroup } from '../../../src/slurm/find-job-cgroup.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'hpcdj-test-'));
  for (const name of ['freezer', 'devices', 'pids', 'unified']) await mkdir(join(root, name));
});
afterEach(async () => await rm(root, { recursive: true, force: true }));

const job = (id: number, user = 2001) => `/slurm_n1/uid_${user}/job_${id}`;
const make = async (...paths: readonly string[]) => {
  for (const path of paths) await mkdir(join(root, path), { recursive: true });
};
const isThere = async (path: string) =>
  await access(join(root, path)).then(
    () => true,
    () => false,
  );

describe('the hierarchies', () => {
  it('are those of cgroup v1 with the unified one, without links, and the root itself where that stands alone', async () => {
    await symlink('devices', join(root, 'odd'));
    expect((await listHierarchies(root)).map(({ name }) => name).toSorted()).toEqual([
      'devices',
      'freezer',
      'pids',
      'unified',
    ]);
    await writeFile(join(root, 'cgroup.controllers'), '');
    expect(await listHierarchies(root)).toEqual([{ name: 'unified', directory: root }]);
  });

  it('in which the scheduler has a job are told by where a process of it is', () => {
    const text = `9:name=systemd:/\n6:freezer:${job(7)}/step_0\n5:devices:/\n4:cpu,cpuacct:${job(7)}\n3:memory:${job(77)}\n0::${job(7)}/x\n`;
    expect(hierarchiesBelow(text, job(7))).toEqual(['freezer', 'cpu,cpuacct', 'unified']);
  });
});

describe('the release of a job', () => {
  it('removes what only the engine has made, upwards while it is empty, and nothing of the scheduler', async () => {
    await make(`freezer${job(7)}`, `devices${job(7)}`, `unified${job(7)}`, `unified${job(8)}`, `pids${job(7, 2002)}`);
    await removeEmptyCgroups(job(7), ['freezer'], root);
    expect(await isThere(`freezer${job(7)}`)).toBe(true);
    expect(await isThere('devices/slurm_n1')).toBe(false);
    expect(await isThere(`unified${job(7)}`)).toBe(false);
    expect(await isThere(`unified${job(8)}`)).toBe(true);
    expect(await isThere(`pids${job(7, 2002)}`)).toBe(true);
  });

  it.each(['/..', '/a/../b', 'a', '/a//b', '/a b', ''])('touches nothing at %j', async (path) => {
    await make('devices/a', 'b');
    await removeEmptyCgroups(path, [], root);
    expect([await isThere('devices/a'), await isThere('b')]).toEqual([true, true]);
  });

  it('does not meet the start of another job of the user, whose place is held', async () => {
    await make(`freezer${job(7)}`, `devices${job(7)}`);
    await holdParent(job(8), ['freezer'], root);
    await removeEmptyCgroups(job(7), ['freezer'], root);
    expect(await isThere(`devices${job(8)}`)).toBe(true);
    expect(await isThere(`freezer${job(8)}`)).toBe(false);
  });
});

const scope = '/system.slice/n1_slurmstepd.scope';
const ofV2 = async () => await writeFile(join(root, 'cgroup.controllers'), '');

describe("a job's own cgroup", () => {
  it('goes with all empty ones in it, and nothing above, on cgroup v2', async () => {
    await ofV2();
    await make(`${scope}/job_15/step_0/user/task_0/own`, `${scope}/job_15/step_extern`, `${scope}/job_16`);
    await removeJobCgroups(`${scope}/job_15`, root);
    expect([await isThere(`${scope}/job_15`), await isThere(`${scope}/job_16`)]).toEqual([false, true]);
    await removeJobCgroups(`${scope}/job_16`, root);
    expect(await isThere(scope)).toBe(true);
  });

  it('goes in every hierarchy of cgroup v1, and what is not empty stays', async () => {
    await make(`freezer${job(7)}/step_0`, `devices${job(7)}/a`, `unified${job(7)}`);
    // A directory that is not empty stands for a cgroup with processes: the kernel removes neither.
    await writeFile(join(root, `devices${job(7)}/a/busy`), '');
    await removeJobCgroups(job(7), root);
    expect([await isThere(`freezer${job(7)}`), await isThere('freezer/slurm_n1/uid_2001')]).toEqual([false, true]);
    expect([await isThere(`devices${job(7)}/a`), await isThere(`unified${job(7)}`)]).toEqual([true, false]);
  });

  it.each(['/..', `${scope}/../x`, 'a', '//', ''])('touches nothing at %j', async (path) => {
    await make('freezer/a', 'a', 'x');
    await removeJobCgroups(path, root);
    expect([await isThere('freezer/a'), await isThere('a'), await isThere('x')]).toEqual([true, true, true]);
  });

  it('leaves the rest of a tree that a user has made endlessly deep', async () => {
    await make(`freezer${job(7)}/${'d/'.repeat(60)}`, `freezer${job(8)}`);
    await removeJobCgroups(job(7), root);
    expect(await isThere(`freezer${job(7)}`)).toBe(true);
  });
});

describe('reap', () => {
  const over = new Set(['7', '8']);
  const sweep = async () =>
    await sweepOldCgroups(
      {
        audit: { record: () => undefined, flush: async () => await Promise.resolve() },
        authorities: { findJobCgroup, isOver: async (id: string) => await Promise.resolve(over.has(id)) },
      } as unknown as Parameters<typeof sweepOldCgroups>[0],
      root,
    );

  it('removes empty cgroups of jobs that are over where the scheduler has none, and only these', async () => {
    await make(`freezer${job(7)}`, `devices${job(7)}`, `devices${job(8)}`, `unified${job(7)}`, `unified${job(9)}`);
    await make(`devices${job(8)}/${'a'.repeat(64)}`, 'devices/other/uid_1/job_7', 'unified/slurm_n1/system');
    expect(await sweep()).toEqual(['7']);
    expect(await isThere(`devices${job(7)}`)).toBe(false);
    expect(await isThere(`unified${job(7)}`)).toBe(false);
    for (const stays of [
      'freezer/slurm_n1/uid_2001',
      `devices${job(8)}`,
      `unified${job(9)}`,
      'devices/other/uid_1/job_7',
    ])
      expect([stays, await isThere(stays)]).toEqual([stays, true]);
    expect(await isThere(`freezer${job(7)}`)).toBe(false);
  });

  it('removes no more than the job in a hierarchy in which the scheduler has anything of its own', async () => {
    await make(`devices${job(7)}`, `devices${job(9, 2002)}/step_0`, `pids${job(7)}`);
    await sweep();
    expect([await isThere(`devices${job(7)}`), await isThere('devices/slurm_n1/uid_2001')]).toEqual([false, true]);
    expect(await isThere('pids/slurm_n1')).toBe(false);
  });

  it('removes what Slurm has left of jobs that are over on cgroup v2, and nothing in which something runs', async () => {
    await ofV2();
    await make(`${scope}/job_7/step_0/user/task_0`, `${scope}/job_8/step_0`, `${scope}/job_9`, '/system.slice/job_7');
    await writeFile(join(root, `${scope}/job_8/cgroup.events`), 'populated 1\nfrozen 0\n');
    expect(await sweep()).toEqual(['7']);
    expect(await isThere(`${scope}/job_7`)).toBe(false);
    for (const stays of [`${scope}/job_8/step_0`, `${scope}/job_9`, '/system.slice/job_7'])
      expect([stays, await isThere(stays)]).toEqual([stays, true]);
  });
});
