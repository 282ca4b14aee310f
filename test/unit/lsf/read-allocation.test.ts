import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAllocation } from '../../../src/lsf/read-allocation.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'lsf-allocation-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const job = { LSB_JOBID: '12', LSB_JOBINDEX: '0' };

function file(text: string): string {
  const path = join(directory, `file-${Math.random()}`);
  writeFileSync(path, text);
  return path;
}

const hostsOf = (environment: NodeJS.ProcessEnv): string =>
  readAllocation({ ...job, ...environment })
    .hosts.map(({ name, slots }) => `${name} ${slots}`)
    .join(', ');

describe('readAllocation', () => {
  // As recorded, with the blank at the end.
  it.each([
    ['node1 2 ', 'node1 node1', 'node1 2'],
    ['node2 1 node1 1 node3 1 ', 'node2 node1 node3', 'node2 1, node1 1, node3 1'],
    ['node2 1 node3 2 node1 2 ', 'node2 node3 node3 node1 node1', 'node2 1, node3 2, node1 2'],
    ['node3 2 node2 2 ', 'node3 node3 node2 node2', 'node3 2, node2 2'],
    ['node3 2 ', 'node3 node3', 'node3 2'],
  ])('reads LSB_MCPU_HOSTS %j and LSB_HOSTS %j alike', (pairs, names, expected) => {
    expect(hostsOf({ LSB_MCPU_HOSTS: pairs })).toBe(expected);
    expect(hostsOf({ LSB_HOSTS: names })).toBe(expected);
  });

  it('knows the GPUs of the first host, which is all that LSF tells', () => {
    const environment = { ...job, LSB_MCPU_HOSTS: 'node1 2 node2 2 ', CUDA_VISIBLE_DEVICES: '0,1' };
    expect(readAllocation(environment).hosts).toEqual([
      { name: 'node1', slots: 2, gpus: ['0', '1'] },
      { name: 'node2', slots: 2 },
    ]);
  });

  it('prefers the file, then the pairs, then the names', () => {
    const all = { LSB_DJOB_HOSTFILE: file('a\na\nb\n'), LSB_MCPU_HOSTS: 'c 1 ', LSB_HOSTS: 'd' };
    expect(hostsOf(all)).toBe('a 2, b 1');
    expect(hostsOf({ ...all, LSB_DJOB_HOSTFILE: '' })).toBe('c 1');
    expect(hostsOf({ LSB_HOSTS: 'd' })).toBe('d 1');
  });

  it('merges repeats in the order of their first appearance', () => {
    expect(hostsOf({ LSB_DJOB_HOSTFILE: file('n2\nn1\n\nn2 2\n') })).toBe('n2 3, n1 1');
    expect(hostsOf({ LSB_MCPU_HOSTS: 'n2 1 n1 1 n2 4' })).toBe('n2 5, n1 1');
  });

  it.each([
    [{ LSB_JOBID: '12', LSB_JOBINDEX: '0' }, '12', '12'],
    [{ LSB_JOBID: '12' }, '12', '12'],
    [{ LSB_JOBID: '48', LSB_JOBINDEX: '3' }, '48_3', '48[3]'],
  ])('names the job of %j', (environment, key, id) => {
    const allocation = readAllocation({ ...environment, LSB_MCPU_HOSTS: 'n1 1 ' });
    expect(allocation).toMatchObject({ scheduler: 'lsf', job: key, schedulerJobId: id });
  });

  it.each<[string, NodeJS.ProcessEnv]>([
    ['LSB_JOBID is "x"', { LSB_JOBID: 'x' }],
    ['LSB_JOBID is "0"', { LSB_JOBID: '0' }],
    ['LSB_JOBID is "12[3]"', { LSB_JOBID: '12[3]' }],
    ['LSB_JOBINDEX is "-1"', { LSB_JOBINDEX: '-1' }],
    ['LSB_JOBINDEX is ""', { LSB_JOBINDEX: '' }],
    ['LSB_JOBINDEX is "1\\n2"', { LSB_JOBINDEX: '1\n2' }],
    ['none of LSB_DJOB_HOSTFILE, LSB_MCPU_HOSTS and LSB_HOSTS', { LSB_MCPU_HOSTS: ' ' }],
    ['LSB_MCPU_HOSTS does not give a number of slots for each host', { LSB_MCPU_HOSTS: 'n1 1 n2' }],
    ['LSB_MCPU_HOSTS gives "n1" "0" slots', { LSB_MCPU_HOSTS: 'n1 0' }],
    ['LSB_MCPU_HOSTS gives "n1" "999999" slots', { LSB_MCPU_HOSTS: 'n1 999999' }],
    ['LSB_MCPU_HOSTS names "-n1"', { LSB_MCPU_HOSTS: '-n1 1' }],
    ['LSB_HOSTS names "$(id)"', { LSB_MCPU_HOSTS: undefined, LSB_HOSTS: '$(id)' }],
    ['/nowhere', { LSB_DJOB_HOSTFILE: '/nowhere' }],
    ['not a regular file', { LSB_DJOB_HOSTFILE: '/dev/zero' }],
  ])('says %s', (message, environment) => {
    expect(() => readAllocation({ ...job, LSB_MCPU_HOSTS: 'n1 1 ', ...environment })).toThrow(
      expect.objectContaining({
        code: 'ALLOCATION_INVALID',
        message: expect.stringContaining(message) as string,
      }) as Error,
    );
  });

  it.each([
    ['a line of three words', 'n1 2 3\n', 'holds the line'],
    ['no host', '\n\n', 'names no host'],
    ['more than 8 MiB', 'n'.repeat(9 * 1024 * 1024), 'longer than 8 MiB'],
  ])('refuses a host file with %s', (_, text, message) => {
    expect(() => hostsOf({ LSB_DJOB_HOSTFILE: file(text) })).toThrow(message);
  });

  it('does not wait for a pipe that nobody writes to', () => {
    const path = join(directory, 'pipe');
    spawnSync('mkfifo', [path]);
    expect(() => hostsOf({ LSB_DJOB_HOSTFILE: path })).toThrow('not a regular file');
  });

  it('says so outside a job', () => {
    expect(() => readAllocation({})).toThrow(expect.objectContaining({ code: 'NOT_IN_A_JOB' }) as Error);
  });
});
