/** Jobs of LSF on three hosts: the product's own helper, etcd and Docker Engines under the stand-in for LSF. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { copyCase, meshCommand } from '../../lab/demo/openfoam-case.ts';
import { productRoot } from '../../lab/layout.ts';
import type { LsfKind } from '../../lab/layout.ts';
import { configDir, renderQueue } from '../../lab/lsf/lsf-files.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { inMpi } from '../support/e2e-jobs.ts';
import { changeSite, quickSite } from '../support/e2e-site.ts';
import {
  configureLsf,
  control,
  findLsfLeftovers,
  findLsfPrograms,
  lsfLab,
  postExec,
  submitScript,
} from '../support/lsf-lab.ts';
import type { Ended } from '../support/lab-job.ts';
import { containerStates } from '../support/lab-job.ts';
import type { LsfState } from '../support/lsf-lab.ts';
import { knownHosts, startSsh } from '../support/lsf-ssh.ts';

let lab: Lab;

/** Where the slides have it. */
const caseDirectory = '/scratch/lustre/OF_pitzDailyExptInlet_IB';

/** The submit script of the slides, letter for letter; #!/bin/bash is added by whoever submits it. */
const slidesScript = `#BSUB -P IB_testrun_openfoam_8core
#BSUB -J IB_pitzDaily_OF
#BSUB -W 00:05
#BSUB -n 8
#BSUB -o job-%J.out
#BSUB -e job-%J.err

### exec params
export APPLICATION=openfoam:2.3.0

export COMMAND="mpirun -v -hostfile system/machines -x PATH=\\$PATH -x LD_LIBRARY_PATH=\\$LD_LIBRARY_PATH -x WM_PROJECT_DIR=\\$WM_PROJECT_DIR -x MPI_BUFFER_SIZE=2000000000 -report-bindings -bind-to-core -mca btl ib simpleFoam -parallel"

export JOBDIR="${caseDirectory}"

### Docker-Middleware-Wrapper
/share/bin/hpc_submit_dockerjob
`;

/** As the lab's catalogue has it, and cores for -bind-to-core: the lab's hosts share two, hwloc is told of four on each. */
const openfoam = {
  image: 'lab/openfoam:1912',
  hostfile: 'system/machines',
  environment: {
    WM_PROJECT_DIR: '/usr/share/openfoam',
    OMPI_MCA_mpi_yield_when_idle: '1',
    HWLOC_COMPONENTS: 'synthetic',
    HWLOC_SYNTHETIC: 'core:4 pu:1',
  },
};

const tellRank = 'sh -c \'echo "rank $OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE on $(hostname) as $(id -u)"\'';

describe.each<LsfKind>(['plain', 'ibm'])('a job of the %s LSF', (kind) => {
  beforeAll(async () => {
    lab = await lsfLab(kind);
  });
  afterEach(async () => expect(await findLsfLeftovers(lab)).toEqual([]));

  it('runs one rank per slot of every host, as its user, and its output is in the file of -o', async () => {
    const job = await submitScript(lab, `${inMpi} mpirun ${tellRank}`);
    const ended = await job.end();
    expect(ended.stderr).toContain('nothing is left behind');
    expect(ended).toMatchObject({ stat: 'DONE', exitCode: 0 });
    const ranks = ended.stdout.match(/^rank .*$/gm) ?? [];
    expect(ranks.toSorted()).toEqual([0, 1, 2].map((n) => `rank ${n} of 3 on ${job.id}-node-${n} as 2001`));
  });

  it('ends with the status of its command', async () => {
    const job = await submitScript(lab, `export COMMAND='exit 42'\nhpc-submit-dockerjob --image lab/mpi:1`);
    expect(await job.end()).toMatchObject({ stat: 'EXIT', exitCode: 42 });
  });

  it('on one host needs no launcher', async () => {
    const job = await submitScript(lab, `${inMpi} mpirun ${tellRank}`, { bsub: ['-n2', '-R', 'span[hosts=1]'] });
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'DONE', exitCode: 0 });
    expect(ended.stdout.match(/^rank \d of 2 on \d+-node-0 as 2001$/gm)).toHaveLength(2);
  });

  it('is an element of an array under its own name', async () => {
    const job = await submitScript(lab, `${inMpi} hostname`, { bsub: ['-n2', '-R', 'span[ptile=1]', '-J', 'arr[3]'] });
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'DONE', exitCode: 0 });
    expect(ended.stdout).toContain(`${job.id}-3-node-0`);
  });
});

describe('the submit script of the slides', () => {
  beforeAll(async () => {
    lab = await lsfLab('plain', ['mpi', 'openfoam']);
    for (const { name } of lab.nodes)
      await mustRun(lab, name, [
        'sh',
        '-c',
        `mkdir -p /share/bin && ln -sfn ${productRoot}/bin/hpc_submit_dockerjob /share/bin/`,
      ]);
  });

  const submitSlides = async (script: string): Promise<Ended<LsfState>> => {
    const options = { directory: caseDirectory, bsub: [], namesOwnFiles: true };
    return await (await submitScript(lab, script, options)).end(170_000);
  };

  it('runs OpenFOAM with eight ranks on three hosts', async () => {
    await using _site = await changeSite(lab, { applications: { 'openfoam:2.3.0': openfoam } });
    await mustRun(lab, 'node1', ['install', '-d', '/scratch/lustre']);
    await copyCase(lab, { directory: caseDirectory, ranks: 8, iterations: 10 });
    const mesh = await submitScript(lab, `hpc-submit-dockerjob --application openfoam:2.3.0 -- ${meshCommand}`, {
      directory: caseDirectory,
      bsub: ['-n1'],
    });
    expect(await mesh.end()).toMatchObject({ stat: 'DONE' });
    // One word is another: no Open MPI of today has a component "ib", and the lab has no InfiniBand.
    const ended = await submitSlides(slidesScript.replace('-mca btl ib ', '-mca btl tcp,self '));
    expect(ended).toMatchObject({ stat: 'DONE', exitCode: 0 });
    expect(ended.stdout).toMatch(/^nProcs : 8$/m);
    expect(ended.stdout).toMatch(/^Time = 10$/m);
    expect(ended.stderr.match(/MCW rank \d/g)?.toSorted()).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 7].map((n) => `MCW rank ${n}`),
    );
    expect(await findLsfLeftovers(lab)).toEqual([]);

    const untouched = await submitSlides(slidesScript);
    expect(untouched.stat).toBe('EXIT');
    expect(untouched.stdout + untouched.stderr).toMatch(/^Framework: btl\nComponent: ib$/m);
    expect(await findLsfLeftovers(lab)).toEqual([]);
  });
});

describe('the launcher ssh', () => {
  const undo = new AsyncDisposableStack();
  beforeAll(async () => {
    lab = await lsfLab('plain');
    undo.use(await startSsh(lab));
    undo.use(await changeSite(lab, { ...quickSite, scheduler: sshLauncher }));
    await configureLsf(lab, [renderQueue('normal', [postExec])]);
  });
  afterAll(async () => await undo.disposeAsync());
  afterEach(async () => expect(await findLsfLeftovers(lab)).toEqual([]));
  const sshLauncher = { lsf: { launcher: 'ssh', confDirectory: configDir } };

  it('runs a job on three hosts', async () => {
    const job = await submitScript(lab, `${inMpi} mpirun ${tellRank}`);
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'DONE', exitCode: 0 });
    expect(ended.stdout.match(/^rank \d of 3 on \d+-node-\d as 2001$/gm)).toHaveLength(3);
  });

  it('suspends, resumes and ends the job on hosts that no signal of LSF reaches', async () => {
    const job = await submitScript(lab, `${inMpi} sh -c 'echo started; sleep 60'`);
    await job.shows('started', 'out');
    expect(await findLsfPrograms(lab, 'node1', 'standin.mjs lsrun')).toEqual([]);
    await control(lab, 'bstop', job.id);
    await job.shows('suspended: 3 of 3 containers are paused');
    expect(await containerStates(lab)).toEqual(['paused', 'paused', 'paused']);
    await control(lab, 'bresume', job.id);
    await job.shows('resumed: every container runs again');
    expect(await containerStates(lab)).toEqual(['running', 'running', 'running']);
    await control(lab, 'bkill', job.id);
    expect(await job.end()).toMatchObject({ stat: 'EXIT', exitCode: 130 });
  });

  it('goes to no host whose key is not the known one', async () => {
    const swap = 's/^node1 /nodeX /; s/^node3 /node1 /; s/^nodeX /node3 /';
    for (const { name } of lab.nodes) await mustRun(lab, name, ['sed', '-i', swap, knownHosts]);
    const job = await submitScript(lab, `${inMpi} true`, { bsub: ['-n2', '-R', 'span[ptile=1]', '-m', 'node1 node3'] });
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'EXIT', exitCode: 75 });
    expect(ended.stderr).toMatch(/host key|HOST IDENTIFICATION/i);
    expect(ended.stderr).toMatch(
      /1 of 2 nodes did not publish its address within 12 s: \d+-node-1 on node[13] \(not started\)/,
    );
  });
});
