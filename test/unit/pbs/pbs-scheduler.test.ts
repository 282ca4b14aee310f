import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isInPbsJob, pbsScheduler } from '../../../src/pbs/pbs-scheduler.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pbs-scheduler-'));
  for (const name of ['openpbs/pbs_tmrsh', 'openpbs/pbsdsh', 'torque/pbsdsh']) {
    const file = join(directory, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, '#!/bin/sh\n');
    await chmod(file, 0o755);
  }
});
afterAll(() => rm(directory, { recursive: true }));

async function jobWith(nodefile: string, variables: NodeJS.ProcessEnv = {}): Promise<NodeJS.ProcessEnv> {
  const file = join(directory, 'nodefile');
  await writeFile(file, nodefile);
  return { PBS_JOBID: '12.srv.site', PBS_NODEFILE: file, ...variables };
}
const scheduler = (environment: NodeJS.ProcessEnv, commands = 'openpbs') =>
  pbsScheduler({ onHostCommand: ['/on-host'], commandPath: join(directory, commands), environment });

describe('the allocation', () => {
  it.each([
    ['a line for each slot', 'n1\nn1\nn2\n', { n1: 2, n2: 1 }],
    ['hosts that come again', 'n2\nn1\nn2\n', { n2: 2, n1: 1 }],
    ['blank lines and long names', 'n1.site\n\n  n2.site  \n', { 'n1.site': 1, 'n2.site': 1 }],
  ])('is %s of PBS_NODEFILE', async (_, nodefile, slots) => {
    const environment = await jobWith(nodefile);
    const { hosts, ...rest } = scheduler(environment).readAllocation(environment);
    expect(Object.fromEntries(hosts.map((host) => [host.name, host.slots]))).toEqual(slots);
    expect(rest).toMatchObject({ scheduler: 'pbs', schedulerJobId: '12', job: '12' });
  });

  it.each([
    ['12', '12', '12'],
    ['12.srv', '12', '12'],
    ['12[4].srv.site', '12[4]', '12_4'],
    ['12[0].srv', '12[0]', '12_0'],
  ])('knows the job %s as %s and %s', async (id, schedulerJobId, job) => {
    const environment = await jobWith('n1\n', { PBS_JOBID: id });
    expect(scheduler(environment).readAllocation(environment)).toMatchObject({ schedulerJobId, job });
  });

  it.each([
    ['a wrong id', 'n1\n', { PBS_JOBID: '12;x' }, 'PBS_JOBID'],
    ['the id of a whole array', 'n1\n', { PBS_JOBID: '12[].srv' }, 'PBS_JOBID'],
    ['an index with zeroes', 'n1\n', { PBS_JOBID: '12[04].srv' }, 'PBS_JOBID'],
    ['no file', 'n1\n', { PBS_NODEFILE: '' }, 'PBS_NODEFILE'],
    ['a file that is missing', 'n1\n', { PBS_NODEFILE: '/no/such' }, 'PBS_NODEFILE'],
    ['an empty file', '\n', {}, 'names no host'],
    ['a wrong host', '$(x)\n', {}, 'no host name'],
  ])('is refused with %s', async (_, nodefile, variables, message) => {
    const environment = await jobWith(nodefile, variables);
    expect(() => scheduler(environment).readAllocation(environment)).toThrow(
      expect.objectContaining({
        code: 'ALLOCATION_INVALID',
        message: expect.stringContaining(message) as string,
      }) as Error,
    );
  });

  it('is none outside of a job', () => {
    expect(isInPbsJob({})).toBe(false);
    expect(isInPbsJob({ PBS_JOBID: '12.srv' })).toBe(true);
    expect(() => scheduler({}).readAllocation({})).toThrow(expect.objectContaining({ code: 'NOT_IN_A_JOB' }) as Error);
  });
});

describe('the launcher', () => {
  const launch = async (commands: string, nodefile: string) => {
    const environment = await jobWith(nodefile);
    const pbs = scheduler(environment, commands);
    return pbs.launchOnEveryHost(pbs.readAllocation(environment), ['/bin/x', '-a', 'b c']);
  };
  const here = { file: '/bin/x', argv: ['-a', 'b c'], environment: {}, host: 'n1' };

  it('is pbs_tmrsh where it is there: by the name of each other host', async () => {
    const other = {
      file: join(directory, 'openpbs/pbs_tmrsh'),
      argv: ['n2', '/on-host', '/bin/x', '-a', 'b c'],
      environment: {},
      host: 'n2',
    };
    expect(await launch('openpbs', 'n1\nn1\nn2\n')).toEqual([here, other]);
  });

  it('is pbsdsh else: by the first line of each other host, and options of the command left alone', async () => {
    const file = join(directory, 'torque/pbsdsh');
    const other = (index: string, host: string) => ({
      ...{ file, argv: ['-n', index, '--', '/on-host', '/bin/x', '-a', 'b c'], environment: {} },
      host,
    });
    expect(await launch('torque', 'n1\nn1\nn2\nn2\nn3\n')).toEqual([here, other('2', 'n2'), other('4', 'n3')]);
  });

  it('is needed for several hosts only', async () => {
    expect(await launch('nowhere', 'n1\nn1\n')).toEqual([here]);
    await expect(launch('nowhere', 'n1\nn2\n')).rejects.toMatchObject({ code: 'LAUNCHER_FAILED' });
  });
});
