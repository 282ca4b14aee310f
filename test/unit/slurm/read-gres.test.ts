import { describe, expect, it } from 'vitest';
import { parseGres } from '../../../src/slurm/read-gres.ts';

/** As Slurm 22.05 prints it. */
const printed = (comment = '(null)', name = 'wrap'): string => `JobId=4 JobName=${name}
   NumNodes=3 NumCPUs=3 NumTasks=3 CPUs/Task=1 ReqB:S:C:T=0:0:*:*
   JOB_GRES=gpu:4
     Nodes=node1 CPU_IDs=0-1 Mem=700 GRES=gpu:tesla:2(IDX:0-1),nic:1(IDX:3)
     Nodes=node[2-3] CPU_IDs=0,3-4 Mem=700 GRES=gpu:1(IDX:2)
     Nodes=node4 CPU_IDs=0 Mem=700 GRES=gpu:a100:1(IDX:0),gpu:h100:2(IDX:4,6),shard:2(CNT:2)
     Nodes=node5 CPU_IDs=0 Mem=700 GRES=
   MinCPUsNode=1 MinMemoryNode=700M MinTmpDiskNode=0
   Comment=${comment}
`;
const gresOf = (text: string, host: string): object => Object.fromEntries(parseGres(text, host));

describe('the GRES of a job', () => {
  it.each([
    ['node1', { gpu: [0, 1], nic: [3] }],
    ['node3', { gpu: [2] }],
    ['node4', { gpu: [0, 4, 6] }],
    ['node5', {}],
    ['node6', {}],
    ['node', {}],
  ])('on %s is read', (host, expected) => {
    expect(gresOf(printed(), host)).toEqual(expected);
  });

  const line = (hosts: string, gres: string): string => `x\n     Nodes=${hosts} CPU_IDs=0 Mem=1 GRES=${gres}`;
  it.each([
    ['more', line('node1', 'gpu:8(IDX:0-7),nic:9(IDX:0-8)'), { gpu: [0, 1], nic: [3] }],
    ['others', line('node1', 'gpu:8(IDX:2-7)'), {}],
    ['less', line('node1', 'gpu:1(IDX:1)'), { gpu: [1] }],
    ['a list that cannot be read', line('node1', 'gpu:1(IDX:1-)'), {}],
    ['hosts that cannot be read', line('node[', 'gpu:8(IDX:0-7)'), { gpu: [0, 1] }],
    ['a kind of its own', line('node1', 'gpu:2(IDX:0-1),nic:1(IDX:3),fpga:1(IDX:0)'), { gpu: [0, 1], nic: [3] }],
    ['a number without end', line('node1', 'gpu:1(IDX:0-99999999)'), {}],
  ])('is not raised by a user’s comment, or name, that says %s', (_name, text, expected) => {
    expect(gresOf(printed(text), 'node1')).toEqual(expected);
    expect(gresOf(printed('(null)', text), 'node1')).toEqual(expected);
  });

  it('is nothing where Slurm says nothing', () => {
    expect(gresOf('', 'node1')).toEqual({});
    expect(gresOf(line('node2', 'gpu:1(IDX:0)'), 'node1')).toEqual({});
  });
});
