import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gridEngineScheduler, isInGridEngineJob } from '../../../src/gridengine/gridengine-scheduler.ts';
import type { Allocation } from '../../../src/ports/scheduler.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gridengine-scheduler-'));
  await writeFile(join(directory, 'qrsh'), '#!/bin/sh\n');
  await chmod(join(directory, 'qrsh'), 0o755);
});
afterAll(() => rm(directory, { recursive: true }));

const job = { JOB_ID: '12', SGE_TASK_ID: 'undefined', HOSTNAME: 'node1' };
const scheduler = (commandPath: string) => gridEngineScheduler({ commandPath, environment: {} });

async function readWith(hostfile: string, variables: NodeJS.ProcessEnv = {}): Promise<Allocation> {
  const file = join(directory, 'pe_hostfile');
  await writeFile(file, hostfile);
  return scheduler(directory).readAllocation({ ...job, PE_HOSTFILE: file, ...variables });
}

describe('isInGridEngineJob', () => {
  it.each<[NodeJS.ProcessEnv, boolean]>([
    [job, true],
    [{ JOB_ID: '12' }, false],
    [{ SGE_TASK_ID: 'undefined' }, false],
    [{ PBS_JOBID: '12' }, false],
  ])('of %j is %s', (environment, isInJob) => {
    expect(isInGridEngineJob(environment)).toBe(isInJob);
  });
});

describe('the allocation', () => {
  it('is what PE_HOSTFILE says', async () => {
    expect(await readWith('node1 3 all.q@node1 UNDEFINED\nnode2 2 all.q@node2 UNDEFINED\n')).toEqual({
      scheduler: 'gridengine',
      schedulerJobId: '12',
      job: '12',
      hosts: [
        { name: 'node1', slots: 3 },
        { name: 'node2', slots: 2 },
      ],
    });
  });

  it.each([
    [
      'a host with two queues has the slots of both',
      'node1 1 a.q@node1 <NULL>\nnode2 1 a.q@n\nnode1 2 b.q@node1 <NULL>',
      'node1=3 node2=1',
    ],
    [
      'the host of the script comes first',
      'node2 2 a.q@node2 UNDEFINED\nnode1 1 a.q@node1 UNDEFINED\n',
      'node1=1 node2=2',
    ],
    [
      'a host may have a long name here and a short one there',
      'node2 2 a b\nnode1.site 1 a b\n',
      'node1.site=1 node2=2',
    ],
  ])('%s', async (_, hostfile, hosts) => {
    const allocation = await readWith(hostfile);
    expect(allocation.hosts.map(({ name, slots }) => `${name}=${slots}`).join(' ')).toBe(hosts);
  });

  it('is one slot without a parallel environment', () => {
    expect(scheduler(directory).readAllocation(job).hosts).toEqual([{ name: 'node1', slots: 1 }]);
  });

  it('names an element of an array as people do, and as Grid Engine does', async () => {
    expect(await readWith('node1 1 a b\n', { SGE_TASK_ID: '3' })).toMatchObject({
      job: '12_3',
      schedulerJobId: '12.3',
    });
  });

  it.each([
    ['no slots', 'node1\n', {}, 'holds the line'],
    ['a wrong number of slots', 'node1 0 a b\n', {}, 'holds the line'],
    ['a wrong host', '$(x) 1 a b\n', {}, 'no host name'],
    ['no host', '\n', {}, 'names no host'],
    ['another host than this', 'node2 1 a b\n', {}, "none of the job's hosts"],
    ['a wrong job id', 'node1 1 a b\n', { JOB_ID: '12;x' }, 'not a job id'],
    ['a wrong index', 'node1 1 a b\n', { SGE_TASK_ID: '0' }, 'not an index'],
    ['a file that is none', 'node1 1 a b\n', { PE_HOSTFILE: '/' }, 'not a regular file'],
    ['a file that is missing', 'node1 1 a b\n', { PE_HOSTFILE: '/no/such' }, 'ENOENT'],
    ['a device', 'node1 1 a b\n', { PE_HOSTFILE: '/dev/zero' }, 'not a regular file'],
  ])('is refused with %s', async (_, hostfile, variables, message) => {
    await expect(readWith(hostfile, variables)).rejects.toMatchObject({
      code: 'ALLOCATION_INVALID',
      message: expect.stringContaining(message) as string,
    });
  });

  it('is none outside of a job', () => {
    expect(() => scheduler(directory).readAllocation({})).toThrow(
      expect.objectContaining({ code: 'NOT_IN_A_JOB' }) as Error,
    );
  });
});

describe('the launcher', () => {
  const launch = (commandPath: string, ...names: string[]) => {
    const hosts = names.map((name) => ({ name, slots: 1 }));
    const allocation = { scheduler: 'gridengine', schedulerJobId: '12', job: '12', hosts } as unknown as Allocation;
    return scheduler(commandPath).launchOnEveryHost(allocation, ['/bin/x', '-a', 'b c']);
  };

  it('is qrsh on the other hosts, which must not look into the command for options; none on the script’s own', () => {
    const apart = ['/bin/sh', '-c', `trap '' USR1 USR2; exec /usr/bin/setsid --wait "$@"`, 'sh'];
    const argv = ['-inherit', '-nostdin', '-noshell', 'node2', ...apart, '/bin/x', '-a', 'b c'];
    expect(launch(directory, 'node1', 'node2')).toEqual([
      { file: '/bin/x', argv: ['-a', 'b c'], environment: {}, host: 'node1' },
      { file: join(directory, 'qrsh'), argv, environment: {}, host: 'node2' },
    ]);
  });

  it('is needed for several hosts only', () => {
    expect(launch('/nowhere', 'node1')).toHaveLength(1);
    expect(() => launch('/nowhere', 'node1', 'node2')).toThrow(
      expect.objectContaining({ code: 'LAUNCHER_FAILED' }) as Error,
    );
  });
});
