import { expect, test } from 'vitest';
import { listPrivateFiles } from '../../../src/discovery/files/container-files.ts';
import { describeMpiSettings } from '../../../src/discovery/files/mpi-settings.ts';

const files = listPrivateFiles('/p');

test('lets ranks of one node copy from each other directly where the kernel does', () => {
  const settings = Object.keys(describeMpiSettings(files, undefined, true));
  expect(settings.filter((name) => /single_copy|smsc/.test(name))).toEqual([]);
});

test('keeps Open MPI 4 and 5 from trying where the kernel does not', () => {
  expect(describeMpiSettings(files, undefined, false)).toMatchObject({
    OMPI_MCA_btl_vader_single_copy_mechanism: 'none',
    OMPI_MCA_smsc: '^cma',
  });
});
