/** The primary group of a job: `sg`, `newgrp`, and a group that the user has left. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { awaitJob, mustRun, readLabFile } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import { findLeftovers } from '../../lab/find-leftovers.ts';
import { sharedGroup } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { e2eLab, jobDirectory, runBatch } from '../support/e2e-lab.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await e2eLab();
});

const { name: cfd, gid } = sharedGroup;
/** Group of the command, and of a file that each rank makes. */
const show = `mpirun sh -c 'touch f.$HPCDJ_NODE_INDEX; echo $(id -g) $(stat -c %g f.$HPCDJ_NODE_INDEX) $(id -G | tr " " "\n" | sort | tr "\n" " ")'`;
const script = `#!/bin/bash\nhpc-submit-dockerjob --image lab/mpi:1 -- ${show}\n`;

/** Submits as alice under the group, by a text for her shell in which `sbatch` is the command; returns the job's id and its directory. */
async function submitUnder(wrap: (sbatch: string) => string, ...options: readonly string[]) {
  const directory = jobDirectory();
  await mustRun(lab, 'node1', ['install', '-d', '-o', 'alice', '-g', cfd, '-m', '0770', directory]);
  const sbatch = `sbatch --parsable -N2 -n2 -D ${directory} -o job.out -e job.err ${options.join(' ')} ${directory}/job.sh`;
  const text = `cat > ${directory}/job.sh <<'S'\n${script}S\n${wrap(sbatch)}`;
  const { stdout, stderr } = await execOnHost(lab, 'node1', { user: 'alice', argv: ['bash', '-c', text] });
  const id = stdout.trim();
  if (!/^\d+$/.test(id)) throw new Error(`sbatch said: ${stdout}${stderr}`);
  return { id, directory };
}

async function endOf({ id, directory }: { readonly id: string; readonly directory: string }) {
  const { exitCode } = await awaitJob(lab, id, 60_000);
  const read = async (stream: string) => await readLabFile(lab, `${directory}/job.${stream}`);
  return { exitCode, stdout: (await read('out')).trim().split('\n'), stderr: await read('err') };
}

describe('a job of a user who is in several groups', () => {
  it.each([
    ['sg', (sbatch: string) => `sg ${cfd} "${sbatch}"`],
    ['newgrp', (sbatch: string) => `newgrp ${cfd} <<'N'\n${sbatch}\nN`],
  ])('that is submitted by %s has that group on every host, and so have its files', async (_, wrap) => {
    const { exitCode, stdout, stderr } = await endOf(await submitUnder(wrap));
    const line = `${gid} ${gid} 2001 ${gid}`;
    expect({ exitCode, stdout }, stderr).toEqual({ exitCode: '0:0', stdout: [line, line] });
    expect(stderr).not.toContain('note ');
    expect(await findLeftovers(lab)).toEqual([]);
  });

  it('is told at once that Slurm starts nothing for a call under another group, and what to do', async () => {
    const { stdout, stderr } = await runBatch(
      lab,
      `sg ${cfd} "hpc-submit-dockerjob --image lab/mpi:1 -- id"; echo "status $?"`,
    );
    expect(stdout.trim()).toBe('status 64');
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain(`called under group ${gid} (sg, newgrp), but the job runs under group 2001`);
    expect(stderr).toContain('sg GROUP "sbatch …"');
  });
});

describe('a job of a group that its user has left', () => {
  const change = async (option: string): Promise<void> => {
    for (const node of ['node1', 'node2', 'node3']) await mustRun(lab, node, ['gpasswd', option, 'alice', cfd]);
  };
  afterEach(async () => await change('-a'));

  it("runs under the user's own group, and says so", async () => {
    const job = await submitUnder((sbatch) => `sg ${cfd} "${sbatch}"`, '--hold');
    await change('-d');
    await mustRun(lab, 'node1', ['scontrol', 'release', job.id]);
    const { exitCode, stdout, stderr } = await endOf(job);
    expect({ exitCode, stdout }, stderr).toEqual({ exitCode: '0:0', stdout: ['2001 2001 2001', '2001 2001 2001'] });
    expect(stderr).toContain(`started under group ${gid}, in which the hosts' user database does not have alice`);
    expect(await findLeftovers(lab)).toEqual([]);
  });
});
