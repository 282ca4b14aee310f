import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { placeApplicationHostfile } from '../../../src/discovery/files/place-application-hostfile.ts';

let workdir: string;
const place = (name = 'system/machines', job = '772') =>
  placeApplicationHostfile({ workdir, name, job, text: 'a slots=1\n' });
const read = (name: string) => readFile(path.join(workdir, name), 'utf8');
const ours = '# written by hpc-submit-dockerjob for job 772\na slots=1\n';

beforeEach(async () => (workdir = await mkdtemp(path.join(tmpdir(), 'hpcdj-hostfile-'))));
afterEach(() => rm(workdir, { recursive: true }));

describe('placeApplicationHostfile', () => {
  test('makes missing directories and removes them again', async () => {
    const takeAway = await place('a/b/machines');
    expect(await read('a/b/machines')).toBe(ours);
    await takeAway();
    expect(await readdir(workdir)).toEqual([]);
  });

  test('leaves a directory that the application uses meanwhile', async () => {
    const takeAway = await place('a/b/machines');
    await writeFile(path.join(workdir, 'a/result'), 'x');
    await takeAway();
    expect(await readdir(path.join(workdir, 'a'))).toEqual(['result']);
  });

  test('keeps the user’s file and puts it back', async () => {
    await writeFile(path.join(workdir, 'machines'), 'mine\n');
    const takeAway = await place('machines');
    expect(await read('machines.before-772')).toBe('mine\n');
    await takeAway();
    expect(await readdir(workdir)).toEqual(['machines']);
    expect(await read('machines')).toBe('mine\n');
  });

  test('puts back what an earlier run of the same job kept before it was killed', async () => {
    await writeFile(path.join(workdir, 'machines'), 'mine\n');
    await place('machines');
    await (
      await place('machines')
    )();
    expect(await read('machines')).toBe('mine\n');
  });

  test('leaves a file that somebody else wrote meanwhile', async () => {
    const takeAway = await place('machines');
    await writeFile(path.join(workdir, 'machines'), 'newer\n');
    await takeAway();
    expect(await read('machines')).toBe('newer\n');
  });

  test('leaves the file of another job in the same directory', async () => {
    const takeAway = await place('machines');
    await place('machines', '773');
    await takeAway();
    expect(await read('machines')).toContain('for job 773');
  });

  test('leaves the user’s file and nothing of ours when it cannot be written', async () => {
    await writeFile(path.join(workdir, 'machines'), 'mine\n');
    await mkdir(path.join(workdir, 'machines.new-772'));
    await expect(place('machines')).rejects.toMatchObject({ code: 'WORKDIR_UNUSABLE' });
    expect(await read('machines')).toBe('mine\n');
    await mkdir(path.join(workdir, 'a.before-772'));
    await writeFile(path.join(workdir, 'a'), 'mine\n');
    await expect(place('a')).rejects.toMatchObject({ code: 'WORKDIR_UNUSABLE' });
    expect((await readdir(workdir)).sort()).toEqual(['a', 'a.before-772', 'machines', 'machines.new-772']);
  });

  test('fails with the path and the reason', async () => {
    await writeFile(path.join(workdir, 'system'), 'a file');
    await mkdir(path.join(workdir, 'machines'));
    await expect(place()).rejects.toMatchObject({
      code: 'WORKDIR_UNUSABLE',
      message: expect.stringContaining(`${workdir}/system/machines cannot be written: `) as string,
    });
    await expect(place('machines')).rejects.toMatchObject({ code: 'WORKDIR_UNUSABLE' });
  });
});
