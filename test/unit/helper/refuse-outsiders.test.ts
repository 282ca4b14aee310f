import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { refuseFromOutsideOfJobs, refuseOutsiders } from '../../../src/helper/caller/refuse-outsiders.ts';
import type { Caller } from '../../../src/helper/caller/identify-caller.ts';
import type { Authorities } from '../../../src/helper/find-authority.ts';
import { readHostQuestion } from '../../../src/helper/host-checks/check-host.ts';
import { openJob } from '../../../src/helper/keeper/open-job.ts';
import type { HelperContext } from '../../../src/helper/open-context.ts';
import type { JobCgroup } from '../../../src/ports/scheduler.ts';
import { requireJobKey } from '../../../src/contract/job-key.ts';
import { JobError } from '../../../src/values/errors.ts';

const alice: Caller = { kind: 'user', uid: 2001 };
const inside: JobCgroup = { path: '/slurm/uid_2001/job_772', uid: 2001, schedulerJobId: '772' };

async function call(cgroup: JobCgroup | undefined, job: string, caller = alice, policy = ''): Promise<void> {
  const authorities = { findJobCgroup: () => cgroup } as Partial<Authorities> as Authorities;
  await refuseOutsiders({ site: parseSite(`version: 1\n${policy}`), authorities, caller }, requireJobKey(job));
}

describe('a call for a job', () => {
  it.each([
    ['comes from within the job', inside, '772'],
    ['comes from within an element, whose key tells no id', inside, '770_3'],
  ])('is heard when it %s', async (_, cgroup, job) => {
    await expect(call(cgroup, job)).resolves.toBeUndefined();
  });

  it.each([
    ['from no job at all', undefined, '772'],
    ['from no job at all for an element', undefined, '770_3'],
    ['from another job', inside, '773'],
    ["from another user's job", { ...inside, uid: 2002 }, '772'],
    ["from another user's element", { ...inside, uid: 2002 }, '770_3'],
  ])('is refused at once when it comes %s', async (_, cgroup, job) => {
    await expect(call(cgroup, job)).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
  });

  it('is heard from anywhere when root calls, or the site does not ask for the cgroup', async () => {
    await expect(call(undefined, '772', { kind: 'root' })).resolves.toBeUndefined();
    const lenient = 'scheduler: {requireJobCgroup: false}';
    await expect(call(undefined, '772', alice, lenient)).resolves.toBeUndefined();
  });
});

describe('a call from a cgroup whose path does not tell the job', () => {
  const nameless: JobCgroup = { path: '/system.slice/slurmstepd.scope/sX', schedulerJobId: undefined, sluid: 'sX' };
  const callNamed = async (job: string, name: Authorities['nameCgroup'], policy = ''): Promise<void> => {
    const authorities = { findJobCgroup: () => nameless, nameCgroup: name } as Partial<Authorities> as Authorities;
    const site = parseSite(`version: 1\n${policy}`);
    await refuseOutsiders({ site, authorities, caller: alice }, requireJobKey(job));
  };
  const ofJob = async (cgroup: JobCgroup, id: string) =>
    await Promise.resolve(id === '772' ? { ...cgroup, schedulerJobId: id } : undefined);

  it('is heard when the scheduler says that it is that job’s', async () => {
    await expect(callNamed('772', ofJob)).resolves.toBeUndefined();
    await expect(callNamed('773', ofJob)).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
  });

  it('is refused when the scheduler does not say it', async () => {
    const fails = async () => await Promise.reject(new JobError({ code: 'JOB_NOT_YOURS', message: 'nobody knows' }));
    await expect(callNamed('772', fails)).rejects.toMatchObject({ message: 'nobody knows' });
  });
});

describe('open-job', () => {
  const contextOf = (cgroup: JobCgroup | undefined, caller: Caller, policy: string): HelperContext => {
    const context: Partial<HelperContext> = {
      site: parseSite(`version: 1\n${policy}`),
      caller,
      authorities: { findJobCgroup: () => cgroup } as Partial<Authorities> as Authorities,
    };
    return context as HelperContext;
  };
  const isHeard = async (cgroup: JobCgroup | undefined, caller: Caller = alice, policy = ''): Promise<void> =>
    await refuseFromOutsideOfJobs(contextOf(cgroup, caller, policy));
  const lenient = 'scheduler: {requireJobCgroup: false}';

  it('waits for the request of who is in a job of his', async () => {
    await isHeard(inside);
    await isHeard({ path: inside.path, schedulerJobId: '772' });
    await isHeard(undefined, { kind: 'root' });
    await isHeard(undefined, alice, lenient);
  });

  it.each([undefined, { ...inside, uid: 2002 }])('waits for nothing from anywhere else: %o', async (cgroup) => {
    const startedAt = performance.now();
    const silent = new PassThrough();
    const opening = openJob(contextOf(cgroup, alice, ''), silent, () => undefined);
    await expect(opening).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });

  it('does not wait for long where nothing shows that a job calls', async () => {
    const startedAt = performance.now();
    const opening = openJob(contextOf(undefined, alice, lenient), new PassThrough(), () => undefined);
    await expect(opening).rejects.toMatchObject({ code: 'USAGE' });
    expect(performance.now() - startedAt).toBeLessThan(4000);
  });
});

it('check-host does not wait for long for a question either', async () => {
  const startedAt = performance.now();
  await expect(readHostQuestion(new PassThrough(), false)).rejects.toMatchObject({ code: 'USAGE' });
  expect(performance.now() - startedAt).toBeLessThan(4000);
});
