import { describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { refuseOutsiders } from '../../../src/helper/find-job-cgroup.ts';
import type { Caller } from '../../../src/helper/identify-caller.ts';
import type { Authorities } from '../../../src/helper/find-authority.ts';
import type { JobCgroup } from '../../../src/ports/scheduler.ts';
import { requireJobKey } from '../../../src/shared/job-key.ts';

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
