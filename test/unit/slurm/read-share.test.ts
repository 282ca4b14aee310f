import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseShare } from '../../../src/slurm/read-share.ts';
import { slurmAuthority } from '../../../src/slurm/slurm-authority.ts';

/** As Slurm 22.05 prints it for a job with a comment of several lines. */
const printed = (comment = '(null)', mem = 700): string => `JobId=4 JobName=wrap
   NumNodes=2 NumCPUs=3 NumTasks=3 CPUs/Task=1 ReqB:S:C:T=0:0:*:*
   JOB_GRES=(null)
     Nodes=node1 CPU_IDs=0-1 Mem=${mem} GRES=
     Nodes=node[2-4] CPU_IDs=0,3-4 Mem=${mem} GRES=gpu:1(IDX:0)
   MinCPUsNode=1 MinMemoryNode=700M MinTmpDiskNode=0
   Comment=${comment}
   Power=
`;
const mib = 1024 ** 2;

describe('the share of a host', () => {
  it.each([
    ['node1', { cpus: 2, memoryBytes: 700 * mib }],
    ['node3', { cpus: 3, memoryBytes: 700 * mib }],
    ['node5', undefined],
    ['node', undefined],
  ])('of %s is read', (host, share) => {
    expect(parseShare(printed(), host)).toEqual(share);
  });

  it('has no memory where Slurm does not manage it', () => {
    expect(parseShare(printed('(null)', 0), 'node1')).toEqual({ cpus: 2 });
  });

  // Seen on Slurm 22.05: a comment is printed with its line ends.
  it.each([
    ['more', 'x\n     Nodes=node1 CPU_IDs=0-63 Mem=999999 GRES=', { cpus: 2, memoryBytes: 700 * mib }],
    ['unlimited memory', 'x\n     Nodes=node1 CPU_IDs=0-63 Mem=0 GRES=', { cpus: 2, memoryBytes: 700 * mib }],
    ['what cannot be read', 'x\n     Nodes=node1 CPU_IDs=, Mem=1 GRES=', { cpus: 2, memoryBytes: 700 * mib }],
    ['hosts that cannot be read', 'x\n     Nodes=node[ CPU_IDs=0 Mem=1 GRES=', { cpus: 2, memoryBytes: 700 * mib }],
    ['less for themself', 'x\n     Nodes=node1 CPU_IDs=0 Mem=100 GRES=', { cpus: 1, memoryBytes: 100 * mib }],
  ])('is not raised by a user’s comment that says %s', (_, comment, share) => {
    expect(parseShare(printed(comment), 'node1')).toEqual(share);
  });
});

describe('scontrol', () => {
  let directory: string;
  beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), 'read-share-'))));
  afterEach(async () => await rm(directory, { recursive: true }));
  const ask = async (script: string, id = '4') => {
    await writeFile(join(directory, 'scontrol'), `#!/bin/sh\n${script}\n`);
    await chmod(join(directory, 'scontrol'), 0o755);
    return await slurmAuthority({ commandPath: directory }).readShare?.(id, 'node1');
  };

  it('is asked for this one job', async () => {
    const script = `[ "$*" = "show job --details 4" ] || exit 9\ncat <<'END'\n${printed()}\nEND`;
    expect(await ask(script)).toEqual({ cpus: 2, memoryBytes: 700 * mib });
  });

  it('tells nothing of a job that it does not know, and is not asked for what is no id', async () => {
    expect(await ask('echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1')).toBeUndefined();
    expect(await ask('exit 9', '4,5')).toBeUndefined();
  });

  it.each(['exit 1', 'echo "JobId=4"', 'true'])(
    'that does %j tells nothing that counts as no limit',
    async (script) => {
      await expect(ask(script)).rejects.toMatchObject({ code: 'SCHEDULER_UNREACHABLE' });
    },
  );
});
