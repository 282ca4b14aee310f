import { expect, it } from 'vitest';
import { readGpus } from '../../../src/allocation/read-gpus.ts';

it.each([
  ['0', ['0']],
  ['0,1', ['0', '1']],
  ['GPU-8f5a7c1e-7d2b-11ec-90d6-0242ac120003', ['GPU-8f5a7c1e-7d2b-11ec-90d6-0242ac120003']],
  ['MIG-GPU-8f5a7c1e/1/0', ['MIG-GPU-8f5a7c1e/1/0']],
])('names the GPUs of %j', (list, gpus) => {
  expect(readGpus(list)).toEqual(gpus);
});

it.each([undefined, '', 'NoDevFiles', '-1', '0;rm', '0\u001b[2J', '0,', Array(65).fill('0').join(',')])(
  'finds none in %j',
  (list) => {
    expect(readGpus(list)).toEqual([]);
  },
);
