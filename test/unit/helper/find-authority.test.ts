import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import type { Authorities } from '../../../src/helper/find-authority.ts';
import { requireJobKey } from '../../../src/contract/job-key.ts';
import { findAuthorities } from '../../../src/helper/find-authority.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'authority-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function authoritiesOf(kind: string, programs: Readonly<Record<string, string>>): Promise<Authorities> {
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(directory, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(directory, name), 0o755);
  }
  return findAuthorities(parseSite(`version: 1\nscheduler: {kind: ${kind}, commandPath: ${directory}}`).scheduler);
}

const slurmOver = 'echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1';
const slurmRuns = 'echo "1|12|12|N/A|RUNNING|n1|1|lab"';
const lsfOver = 'echo "Job <12> is not found" >&2; exit 255';

describe('findAuthorities', () => {
  it('takes what is on the host where the site says auto', async () => {
    const authorities = await authoritiesOf('auto', { bjobs: lsfOver });
    expect(authorities.of('lsf').name).toBe('lsf');
    expect(() => authorities.of('slurm')).toThrow(expect.objectContaining({ code: 'SCHEDULER_UNREACHABLE' }) as Error);
  });

  it('takes exactly the one that the site names', async () => {
    const authorities = await authoritiesOf('slurm', { bjobs: lsfOver, squeue: slurmOver });
    expect(authorities.of('slurm').name).toBe('slurm');
    expect(() => authorities.of('lsf')).toThrow(expect.objectContaining({ code: 'NOT_PERMITTED' }) as Error);
  });

  it('asks all that could have given an id of which the scheduler is not known', async () => {
    const running = await authoritiesOf('auto', { bjobs: lsfOver, squeue: slurmRuns });
    expect(await running.isOver('12', undefined)).toBe(false);
    expect(await running.isOver('12', 'lsf')).toBe(true);
    expect(await running.isOver('12[3]', undefined)).toBe(true);
    const over = await authoritiesOf('auto', { squeue: slurmOver });
    expect(await over.isOver('12', undefined)).toBe(true);
  });

  it('names the owners of a job by every scheduler that answers, and nobody when none does', async () => {
    const job = requireJobKey('12');
    expect(await (await authoritiesOf('auto', { bjobs: lsfOver, squeue: slurmRuns })).findOwners(job)).toEqual([1]);
    expect(await (await authoritiesOf('auto', { squeue: slurmOver })).findOwners(job)).toEqual([]);
    expect(await (await authoritiesOf('auto', { squeue: 'echo away >&2; exit 1' })).findOwners(job)).toEqual([]);
    expect(await (await authoritiesOf('auto', {})).findOwners(job)).toEqual([]);
  });

  it('has no word without any scheduler on the host', async () => {
    const authorities = await authoritiesOf('auto', {});
    await expect(authorities.isOver('12', undefined)).rejects.toMatchObject({ code: 'SCHEDULER_UNREACHABLE' });
  });
});
