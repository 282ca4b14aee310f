import { describe, expect, it } from 'vitest';
import { refuseOtherGroup } from '../../../src/slurm/refuse-other-group.ts';

describe('refuseOtherGroup', () => {
  it('refuses a call under another group than the job, and says what to do', () => {
    expect(() => refuseOtherGroup({ SLURM_JOB_GID: '2001' }, 2100)).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: expect.stringContaining('under group 2100 (sg, newgrp), but the job runs under group 2001') as string,
        hint: expect.stringContaining('sg GROUP "sbatch …"') as string,
      }),
    );
  });

  it.each([
    ['the group of the job', '2001'],
    ['an unknown group of the job', undefined],
    ['what is no group', '2001x'],
  ])('lets %s through', (_, SLURM_JOB_GID) => {
    expect(() => refuseOtherGroup({ SLURM_JOB_GID }, 2001)).not.toThrow();
    expect(() => refuseOtherGroup({ SLURM_JOB_GID }, undefined)).not.toThrow();
  });
});
