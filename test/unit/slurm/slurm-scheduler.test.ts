import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Allocation } from '../../../src/ports/scheduler.ts';
import { requireJobKey } from '../../../src/contract/job-key.ts';
import { isInSlurmJob, slurmScheduler } from '../../../src/slurm/slurm-scheduler.ts';

const allocation: Allocation = {
  scheduler: 'slurm',
  schedulerJobId: '12',
  job: requireJobKey('12'),
  hosts: [
    { name: 'n1', slots: 4 },
    { name: 'n2', slots: 1 },
  ],
};
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slurm-scheduler-'));
  await writeFile(join(directory, 'srun'), '#!/bin/sh\n');
  await chmod(join(directory, 'srun'), 0o755);
});
afterAll(() => rm(directory, { recursive: true }));

const launch = (environment: NodeJS.ProcessEnv = {}) => {
  const scheduler = slurmScheduler({ commandPath: `/nowhere:${directory}`, environment });
  const commands = [scheduler.launchOnEveryHost(allocation, ['/bin/x', '--a', 'b c', '$d'])].flat();
  expect(commands).toHaveLength(1);
  return commands[0]!;
};

describe('slurmScheduler', () => {
  it.each<[NodeJS.ProcessEnv, boolean]>([
    [{ SLURM_JOB_ID: '1' }, true],
    [{ SLURM_JOBID: '1' }, true],
    [{ SLURM_JOB_ID: '' }, false],
    [{ LSB_JOBID: '1' }, false],
  ])('knows whether %j is a job of Slurm: %s', (environment, isInJob) => {
    expect(isInSlurmJob(environment)).toBe(isInJob);
  });

  it('starts one task on each host and hands the arguments on unchanged', () => {
    const { file, argv } = launch();
    expect(file).toBe(join(directory, 'srun'));
    const [shell, option, script = '', ...words] = argv.slice(argv.indexOf('--') + 1);
    expect([shell, option, words]).toEqual(['/bin/sh', '-c', ['sh', '/bin/x', '--a', 'b c', '$d']]);
    expect(script).toMatch(/^trap '' USR1 USR2;/);
    expect(argv).toEqual(
      expect.arrayContaining(['--jobid=12', '--nodes=2', '--ntasks=2', '--ntasks-per-node=1', '--overlap', '--mem=0']),
    );
  });

  it('starts one task on one host in the same way', () => {
    const scheduler = slurmScheduler({ commandPath: directory, environment: {} });
    const { argv } = scheduler.launchOnHost!(allocation, 'n2', ['/bin/x']);
    expect(argv).toEqual(expect.arrayContaining(['--nodelist=n2', '--nodes=1', '--ntasks=1', '--overlap']));
    expect(argv.slice(argv.indexOf('--'))).toEqual([...launch().argv.slice(launch().argv.indexOf('--'), -4), '/bin/x']);
  });

  it('drops every request of the job from the environment, and TMPDIR, and nothing else', () => {
    const { environment } = launch({
      PATH: '/bin',
      SLURM_CONF: '/etc/slurm.conf',
      SLURM_JOB_ID: '12',
      SLURM_JOB_NODELIST: 'n[1-2]',
      SLURM_CPUS_PER_TASK: '2',
      SLURM_MEM_PER_CPU: '100',
      SLURM_DISTRIBUTION: 'cyclic',
      SLURM_LABELIO: '1',
      SLURM_UNBUFFEREDIO: '1',
      SLURM_SOMETHING_OF_NEXT_YEAR: '1',
      SRUN_CONTAINER: '/bundle',
    });
    expect(Object.keys(environment).toSorted()).toEqual([
      'SLURM_CPUS_PER_TASK',
      'SLURM_DISTRIBUTION',
      'SLURM_LABELIO',
      'SLURM_MEM_PER_CPU',
      'SLURM_SOMETHING_OF_NEXT_YEAR',
      'SLURM_UNBUFFEREDIO',
      'SRUN_CONTAINER',
      'TMPDIR',
    ]);
    expect(Object.values(environment).every((value) => value === undefined)).toBe(true);
  });

  it('says where it looked when srun is missing', () => {
    expect(() =>
      slurmScheduler({ commandPath: '/nowhere', environment: {} }).launchOnEveryHost(allocation, ['x']),
    ).toThrow(
      expect.objectContaining({
        code: 'SCHEDULER_UNREACHABLE',
        message: expect.stringContaining('/nowhere') as string,
      }) as Error,
    );
  });
});
