import { appendFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { JobError } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';

/** What a user has opened on this host stands in files that only root can reach; they go with the next start of the host. */
const openingBudgetDirectory = '/run/hpc-dockerjob-budget';

/** What an opening and its end cost the store beside the plan: keys of nodes, subnet and control, and their history. */
const fixedBytes = 8 * 1024;
const windowMs = 600_000;
/**
 * Bytes that openings may write into the shared store in ten minutes, from this host. Hundreds of calls in one job are far
 * below, also with 256 hosts and an environment of 40 KiB; filling a store takes thousands.
 */
export const openingBudget = { job: 12 * 1024 ** 2, user: 24 * 1024 ** 2 } as const;

/** Who opens a job on several hosts. */
export interface Opening {
  readonly uid: number;
  readonly job: JobKey;
  /** Default: the host's. */
  readonly directory?: string;
  /** Default: now. */
  readonly nowMs?: number;
}

/**
 * Fails with `OVER_BUDGET` when user or job have written so much that nothing is left; writes nothing. To be asked before
 * anything is claimed.
 */
export async function checkOpening(opening: Opening): Promise<void> {
  judge(await readSpent(opening), opening);
}

/**
 * Notes what the plan of this size costs; fails with `OVER_BUDGET` when it is more than is left. Calls at the same time
 * count each other: each appends a line of its own, and judges by what stands there afterwards. The last ten minutes count, as a
 * share of the window before and all of the present one.
 */
export async function spendOpening(opening: Opening, planBytes: number): Promise<void> {
  const { directory = openingBudgetDirectory, uid, job } = opening;
  const now = Math.floor((opening.nowMs ?? Date.now()) / windowMs);
  if ((await readSpent(opening)).isFirst) await removeOld(directory, uid, now);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await appendFile(fileOf(directory, uid, now), `${job} ${planBytes + fixedBytes}\n`, { mode: 0o600 });
  judge(await readSpent(opening), opening);
}

interface Spent {
  readonly before: Sums;
  readonly present: Sums;
  readonly isFirst: boolean;
}

interface Sums {
  readonly user: number;
  readonly job: number;
}

async function readSpent({
  directory = openingBudgetDirectory,
  uid,
  job,
  nowMs = Date.now(),
}: Opening): Promise<Spent> {
  const now = Math.floor(nowMs / windowMs);
  const [before, present] = await Promise.all(
    [now - 1, now].map(async (window) => await readFile(fileOf(directory, uid, window), 'utf8').catch(noneIfMissing)),
  );
  return { before: sumUp(before ?? '', job), present: sumUp(present ?? '', job), isFirst: present === undefined };
}

function sumUp(text: string, job: JobKey): Sums {
  let [user, own] = [0, 0];
  for (const line of text.split('\n')) {
    const [name, bytes] = line.split(' ');
    user += Number(bytes ?? 0);
    if (name === job) own += Number(bytes ?? 0);
  }
  return { user, job: own };
}

function judge({ before, present }: Spent, { job, nowMs = Date.now() }: Opening): void {
  const elapsed = (nowMs % windowMs) / windowMs;
  for (const kind of ['job', 'user'] as const) {
    const spent = present[kind] + before[kind] * (1 - elapsed);
    if (spent > openingBudget[kind]) throw overBudget(kind, job, secondsToWait(kind, before, present, elapsed));
  }
}

/** Until half of the budget is free again, so that who waits is not refused at once after that. */
function secondsToWait(kind: keyof typeof openingBudget, before: Sums, present: Sums, elapsed: number): number {
  const enough = openingBudget[kind] / 2;
  const inThisWindow = before[kind] === 0 ? Infinity : 1 - (enough - present[kind]) / before[kind] - elapsed;
  const inTheNext = 1 - elapsed + Math.max(0, 1 - enough / Math.max(1, present[kind]));
  const windows = present[kind] < enough && inThisWindow < 1 - elapsed ? inThisWindow : inTheNext;
  return Math.max(10, Math.ceil((windows * windowMs) / 1000));
}

function overBudget(kind: keyof typeof openingBudget, job: JobKey, seconds: number): JobError {
  const who = kind === 'job' ? `Job ${job} has` : 'Your jobs on this host have';
  return new JobError({
    code: 'OVER_BUDGET',
    message: `${who} written more than ${openingBudget[kind] / 1024 ** 2} MiB into the store that all jobs share, in ten minutes.`,
    hint: `Try again in ${seconds} s. Call hpc-submit-dockerjob less often, or with a smaller --env and command.`,
  });
}

function fileOf(directory: string, uid: number, window: number): string {
  return `${directory}/${uid}.${window}`;
}

/** Files of this user that no longer count. */
async function removeOld(directory: string, uid: number, now: number): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  const old = names.filter((name) => name.startsWith(`${uid}.`) && Number(name.split('.')[1]) < now - 1);
  for (const name of old) await rm(`${directory}/${name}`, { force: true });
}

function noneIfMissing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
