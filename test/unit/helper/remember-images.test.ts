import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { remember } from '../../../src/helper/node/examine-image.ts';

it('images that were found good are remembered up to a bound, whatever a user combines', async () => {
  const directory = await mkdtemp(`${tmpdir()}/marks-`);
  for (let count = 0; count < 25; count += 1) {
    await remember(`${directory}/${count}`, directory, 10);
    const names = await readdir(directory);
    expect(names.length).toBeLessThanOrEqual(10);
    expect(names).toContain(String(count));
  }
  await rm(directory, { recursive: true });
});
