import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkOpening, openingBudget, spendOpening } from '../../../src/helper/keeper/opening-budget.ts';
import { requireJobKey } from '../../../src/contract/job-key.ts';
import { mostPlanBytes } from '../../../src/contract/request-budget.ts';

const minute = 60_000;
const start = 1_800_000_000_000; // begins a window
const kiB = 1024;

let directory: string;
beforeEach(async () => (directory = path.join(await mkdtemp(path.join(tmpdir(), 'budget-')), 'made')));
afterEach(async () => await rm(path.dirname(directory), { recursive: true }));

const opening = (job: string, nowMs = start, uid = 2001) => ({ uid, job: requireJobKey(job), directory, nowMs });
const isRefused = async (action: Promise<void>): Promise<boolean> =>
  await action.then(
    () => false,
    (error: unknown) => {
      expect(error).toMatchObject({ code: 'OVER_BUDGET', exitStatus: 75 });
      return true;
    },
  );
/** How many of these openings are let through, one after the other. */
const countTaken = async (count: number, next: (index: number) => Parameters<typeof opening>, bytes: number) => {
  let taken = 0;
  for (let index = 0; index < count; index += 1)
    if (!(await isRefused(spendOpening(opening(...next(index)), bytes)))) taken += 1;
  return taken;
};

describe('ordinary use', () => {
  it.each([
    ['a loop of 100 calls in one job', 100, () => ['7'] as const, 2 * kiB],
    ['the same on 256 hosts with an environment of 40 KiB', 100, () => ['7'] as const, 90 * kiB],
    [
      '1000 elements of an array that start at once on one host',
      1000,
      (index: number) => [`8_${index + 1}`] as const,
      2 * kiB,
    ],
  ])('is never refused: %s', async (_, count, next, bytes) => {
    expect(await countTaken(count, (index) => [...next(index)], bytes)).toBe(count);
  });
});

describe('who opens again and again', () => {
  it('is refused in one job, and in many jobs, at their bounds', async () => {
    const most = Math.floor(openingBudget.job / (mostPlanBytes + 8 * kiB));
    expect(await countTaken(60, () => ['7'], mostPlanBytes)).toBe(most);
    expect(await isRefused(checkOpening(opening('7')))).toBe(true);
    // Another job of the same user, until the user's own bound; another user at any time.
    expect(await countTaken(60, (index) => [`9${index}`], mostPlanBytes)).toBeLessThan(60);
    expect(await isRefused(checkOpening(opening('5')))).toBe(true);
    expect(await isRefused(spendOpening(opening('6', start, 2002), mostPlanBytes))).toBe(false);
  });

  it('is told when to try again, and is right then', async () => {
    await countTaken(60, () => ['7'], mostPlanBytes);
    const said = await checkOpening(opening('7')).catch((error: unknown) => error as { hint: string });
    const seconds = Number(/Try again in (\d+) s/.exec(String(said?.hint))?.[1]);
    expect(seconds).toBeGreaterThan(10);
    expect(seconds).toBeLessThanOrEqual(1200);
    expect(await isRefused(spendOpening(opening('7', start + seconds * 1000), 2 * kiB))).toBe(false);
  });

  it('gains nothing by the change of a window', async () => {
    await countTaken(60, () => ['7', start + 9 * minute], mostPlanBytes);
    expect(await isRefused(checkOpening(opening('7', start + 10 * minute + 1)))).toBe(true);
  });

  it('gains nothing by opening at the same moment', async () => {
    const tries = Array.from({ length: 40 }, () => isRefused(spendOpening(opening('7'), mostPlanBytes)));
    const taken = (await Promise.all(tries)).filter((refused) => !refused).length;
    expect(taken).toBeLessThanOrEqual(Math.floor(openingBudget.job / (mostPlanBytes + 8 * kiB)));
  });
});

describe('the files of it', () => {
  it('are root’s alone, do not grow while a user is refused, and go when they no longer count', async () => {
    await countTaken(60, () => ['7'], mostPlanBytes);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    const [name] = await readdir(directory);
    const before = (await readFile(path.join(directory, name!), 'utf8')).length;
    for (let count = 0; count < 50; count += 1) await isRefused(checkOpening(opening('7')));
    expect((await readFile(path.join(directory, name!), 'utf8')).length).toBe(before);
    await spendOpening(opening('7', start + 40 * minute), 1);
    expect(await readdir(directory)).toEqual([`2001.${(start + 40 * minute) / (10 * minute)}`]);
  });
});
