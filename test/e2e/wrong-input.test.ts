/** Every wrong input: the right status, a message that says what is wrong, and nothing started. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { etcdctl } from '../../lab/find-leftovers.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { e2eLab, runBatch } from '../support/e2e-lab.ts';
import { findLastingLeftovers, inMpi, startBatch } from '../support/e2e-jobs.ts';
import { untilAsked } from '../support/until.ts';
import type { BatchJob } from '../support/e2e-jobs.ts';
import { changeSite, replaceSite } from '../support/e2e-site.ts';

const call = 'hpc-submit-dockerjob';
const withImage = `${call} --image lab/mpi:1`;
const oneHost = { sbatch: ['-N1', '-n1', '-w', 'node1'] };

/** What a script calls, and the status and the texts that it must end with. BOB is the id of a running job of bob. */
const calls: readonly (readonly [name: string, script: string, status: number, ...texts: string[]])[] = [
  ['without an image', 'COMMAND=true hpc-submit-dockerjob', 65, '[IMAGE_MISSING_IN_REQUEST]', 'APPLICATION'],
  ['with an image that is not allowed', `${call} --image evil/app:1 -- true`, 77, '[IMAGE_NOT_ALLOWED]', 'evil/app:1'],
  ['with no reference of an image', `${call} --image 'a b' -- true`, 65, '[IMAGE_REFERENCE_INVALID]'],
  [
    'with an image that is not there',
    `${call} --image lab/absent:1 -- true`,
    65,
    '[IMAGE_NOT_PRESENT]',
    'on host node1',
  ],
  [
    'with an unknown application',
    `APPLICATION=openfoam:2.3.1 ${call} -- true`,
    65,
    '[APPLICATION_UNKNOWN]',
    'openfoam:2.3.0',
  ],
  [
    'with a workdir that is missing',
    `${withImage} --workdir /scratch/nowhere -- true`,
    65,
    '[WORKDIR_UNUSABLE]',
    'does not exist',
  ],
  [
    'with a workdir that is a file',
    `${withImage} --workdir "$PWD/job.sh" -- true`,
    65,
    '[WORKDIR_UNUSABLE]',
    'is not a directory',
  ],
  [
    'with a workdir of another user',
    `${withImage} --workdir /scratch/bob -- true`,
    65,
    '[WORKDIR_UNUSABLE]',
    'is not yours',
  ],
  [
    'with a workdir that containers do not see',
    `${withImage} --workdir /tmp -- true`,
    65,
    '[WORKDIR_UNUSABLE]',
    '/tmp',
  ],
  ['with a mount that is not allowed', `${withImage} --mount /etc -- true`, 77, '[MOUNT_NOT_ALLOWED]', '/etc'],
  ['with an empty COMMAND', `COMMAND='  ' ${withImage}`, 65, '[COMMAND_EMPTY]'],
  ['without a command', withImage, 65, '[COMMAND_EMPTY]'],
  ['with an empty command after --', `${withImage} -- ''`, 65, '[COMMAND_EMPTY]'],
  ['with an unknown option', `${call} --privileged -- true`, 64, '--privileged'],
  ['without -- before the command', `${withImage} mpirun -np 2 true`, 64, '[USAGE]', 'stands after --'],
  ['with no place for the outcome', `${withImage} --json=/nowhere/x -- true`, 64, '[USAGE]', '/nowhere/x'],
  ['outside of a job', `env -u SLURM_JOB_ID -u SLURM_JOBID ${withImage} -- true`, 64, '[NOT_IN_A_JOB]'],
  [
    "with another user's job id",
    `SLURM_JOB_ID=$BOB SLURM_JOBID=$BOB ${withImage} -- true`,
    77,
    '[JOB_NOT_YOURS]',
    'knows no such job, or it belongs to another user',
  ],
  [
    'with a job id that is none',
    `SLURM_JOB_ID=999999 SLURM_JOBID=999999 ${withImage} -- true`,
    77,
    '[JOB_NOT_YOURS]',
    'knows no such job, or it belongs to another user',
  ],
  [
    'with hosts of another job',
    `SLURM_JOB_NODELIST='node[1-3]' SLURM_NODELIST='node[1-3]' SLURM_JOB_NUM_NODES=3 SLURM_NNODES=3 SLURM_TASKS_PER_NODE='1(x3)' SLURM_JOB_CPUS_PER_NODE='1(x3)' ${withImage} -- true`,
    77,
    '[JOB_NOT_YOURS]',
    'not those',
  ],
  [
    'with a name that is no array element',
    `SLURM_ARRAY_JOB_ID=$SLURM_JOB_ID SLURM_ARRAY_TASK_ID=7 ${withImage} -- true`,
    77,
    '[JOB_NOT_YOURS]',
  ],
];

let lab: Lab;
let bob: BatchJob;
let answers: ReadonlyMap<string, { readonly status: number; readonly text: string }>;

beforeAll(async () => {
  lab = await e2eLab();
  bob = await startBatch(lab, 'sleep 120', { user: 'bob', sbatch: ['-N1', '-n1', '-w', 'node1'] });
  await untilAsked('bob runs', 10_000, async () => {
    const { state } = await bob.state();
    return state === 'RUNNING' || state;
  });
  const lines = calls.map(([name, script]) => `echo "== ${name}"; (${script}) 2>&1; echo "-- $?"`);
  const job = await runBatch(lab, [`BOB=${bob.id}`, ...lines].join('\n'), oneHost);
  answers = new Map(
    job.stdout
      .split('== ')
      .slice(1)
      .map((part) => {
        const name = part.slice(0, part.indexOf('\n'));
        const end = part.lastIndexOf('-- ');
        return [name, { status: Number(part.slice(end + 3)), text: part.slice(name.length, end) }] as const;
      }),
  );
});

afterAll(async () => {
  await mustRun(lab, 'node1', ['scancel', bob.id]);
  await bob.end();
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

describe('a call', () => {
  it.each(calls.map(([name, , status, ...texts]) => ({ name, status, texts })))(
    '$name is refused',
    ({ name, status, texts }) => {
      const answer = answers.get(name);
      for (const text of texts) expect(answer?.text).toContain(text);
      expect(answer?.status).toBe(status);
    },
  );

  it.each([3, 1])(
    'at the same moment as another one in the same job on %i hosts: one runs whole, the other is refused',
    async (hosts) => {
      const run = `${inMpi} sh -c 'while [ ! -e refused ]; do sleep 0.1; done; echo whole'`;
      const call = `(${run}; status=$?; [ $status = 0 ] || touch refused; echo "status $status") &`;
      const job = await runBatch(lab, `${call}\n${call}\nwait`, { sbatch: [`-N${hosts}`, `-n${hosts}`] });
      expect(job.stdout.trim().split('\n').toSorted()).toEqual(['status 0', 'status 75', 'whole']);
      expect(job.stderr).toContain('[JOB_BUSY]');
      expect(job.stderr).toContain('nothing is left behind');
    },
  );

  it('while another one runs in the same job is refused, and does not disturb it', async () => {
    const first = `${inMpi} sh -c 'touch up; while [ ! -e over ]; do sleep 0.1; done; echo whole' &`;
    const second = `while [ ! -e up ]; do sleep 0.1; done; ${inMpi} true; echo "second $?"; touch over`;
    const job = await runBatch(lab, `${first}\n${second}\nwait %1; exit $?`, {
      sbatch: ['-N2', '-n2'],
    });
    expect(job.stdout.trim().split('\n')).toEqual(['second 75', 'whole']);
    expect(job.stderr).toContain('[JOB_BUSY]');
    expect(job.exitCode).toBe('0:0');
  });

  it('in an element of a job array runs under the name of the element', async () => {
    const job = await runBatch(lab, `${inMpi} hostname`, { sbatch: ['-N2', '-n2', '--array=3'] });
    expect(job.stdout).toContain(`${job.id}-3-node-0`);
    expect(job.stderr).toContain(`job ${job.id}_3  2 hosts`);
    expect(job.exitCode).toBe('0:0');
  });
});

describe('a site', () => {
  it('whose policy is wrong refuses every job and says all that is wrong', async () => {
    const wrong = { etcd: { leaseTtlSeconds: 1 }, network: { pool: '10.128' }, containers: {} };
    await using _site = await changeSite(lab, wrong, ['node1']);
    const check = 'hpc-submit-dockerjob config check /etc/hpc-submit-dockerjob/site.yaml >&2; echo "check $?"';
    const job = await runBatch(lab, `${check}\n${inMpi} true`, oneHost);
    expect(job.stdout).toContain('check 78');
    expect(job.exitCode).toBe('78:0');
    expect(job.stderr).toContain('[CONFIG_INVALID]');
    for (const path of ['etcd.leaseTtlSeconds', 'network.pool', 'containers']) {
      expect(job.stderr.split(path).length).toBeGreaterThan(2);
    }
    expect(job.stderr).toContain('did you mean container?');
  });

  it('whose policy others may change refuses every job', async () => {
    await using _site = await replaceSite(lab, (text) => text, ['node1']);
    await mustRun(lab, 'node1', ['chmod', '0666', '/etc/hpc-submit-dockerjob/site.yaml']);
    const job = await runBatch(lab, `${inMpi} true`, oneHost);
    expect(job.exitCode).toBe('78:0');
    expect(job.stderr).toContain('[CONFIG_UNTRUSTED]');
  });

  it('one of whose programs others may change refuses every job', async () => {
    await mustRun(lab, 'node1', ['chown', 'alice', '/usr/sbin/nft']);
    try {
      const job = await runBatch(lab, `${inMpi} true`, oneHost);
      expect(job.exitCode).toBe('78:0');
      expect(job.stderr).toMatch(/nft is owned by uid 2001, not by root\. .*\[CONFIG_UNTRUSTED\]/);
    } finally {
      await mustRun(lab, 'node1', ['chown', 'root', '/usr/sbin/nft']);
    }
  });

  it('whose pool is exhausted says that the job may be submitted again', async () => {
    await using _site = await changeSite(lab, { network: { pool: '10.200.0.0/24' } });
    const key = '/.site/subnets/10.200.0.0_24';
    const claim = JSON.stringify({ job: bob.id, token: 'x', since: new Date().toISOString(), index: 0 });
    await mustRun(lab, 'node1', etcdctl(lab, 'put', key, claim));
    try {
      const job = await runBatch(lab, `${inMpi} true`, { sbatch: ['-N2', '-n2'] });
      expect(job.exitCode).toBe('75:0');
      expect(job.stderr).toContain('No free subnet: all 1 of length /24 in the pool 10.200.0.0/24');
      expect(job.stderr).toContain('[POOL_EXHAUSTED]');
    } finally {
      await mustRun(lab, 'node1', etcdctl(lab, 'del', key));
    }
  });

  it('whose first host lacks the sudo rule says who must do what', async () => {
    const rule = '/etc/sudoers.d/hpc-submit-dockerjob';
    await mustRun(lab, 'node1', ['mv', rule, '/root/rule']);
    try {
      const job = await runBatch(lab, `${inMpi} true`, oneHost);
      expect(job.exitCode).toBe('69:0');
      expect(job.stderr).toContain('hpc-dockerjob-setup');
      expect(job.stderr).toContain('[HELPER_UNAVAILABLE]');
    } finally {
      await mustRun(lab, 'node1', ['mv', '/root/rule', rule]);
    }
  });
});
