import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { awaitReapers, markReaping } from '../../../src/helper/host/reaping-mark.ts';
import { requireJobKey } from '../../../src/contract/job-key.ts';

let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), 'hpcdj-test-'))));
afterEach(async () => await rm(directory, { recursive: true, force: true }));

const job = requireJobKey('772');
const element = requireJobKey('772_3');
const begins = async (key = job) => await awaitReapers(key, 100, directory).then(() => true);

it('a start waits while its job is reaped on this host, and fails in a temporary way when that does not end', async () => {
  const mark = await markReaping(job, directory);
  await expect(begins()).rejects.toMatchObject({ code: 'JOB_BUSY' });
  const waiting = awaitReapers(job, 5000, directory).then(() => 'began');
  expect(await Promise.race([waiting, pause(300, 'waits')])).toBe('waits');
  await mark[Symbol.asyncDispose]();
  expect(await waiting).toBe('began');
});

it('a start does not wait for the reaping of another job, nor for a reaper that is dead', async () => {
  await using _mark = await markReaping(element, directory);
  await writeFile(join(directory, `${job}-${process.pid}-1`), ''); // of that pid's earlier life
  expect(await begins()).toBe(true);
  await expect(begins(element)).rejects.toMatchObject({ code: 'JOB_BUSY' });
});

it('a start on a host where nothing was ever reaped waits for nobody', async () => {
  await rm(directory, { recursive: true });
  expect(await begins()).toBe(true);
});
