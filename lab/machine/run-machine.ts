/** One release: guests are booted and set up, and the cases run in them one after the other. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describeFailure, LabError } from '../lab-error.ts';
import { ensureGuestDisk } from './build-guest.ts';
import type { MachineCase } from './cases.ts';
import { setUp } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { findAccelerator } from './find-accelerator.ts';
import { bootGuest } from './guest.ts';
import type { Guest } from './guest.ts';
import { guestPlaces } from './guest-files.ts';
import { makeIdle, until } from './jobs.ts';
import { packProduct } from './pack-product.ts';
import type { Release } from './releases.ts';
import type { Verdict } from './verdicts.ts';

const caseTimeoutMs = 900_000;

export interface MachineRun {
  readonly release: Release;
  readonly cases: readonly MachineCase[];
  /** A directory that the caller takes away. */
  readonly runDir: string;
  readonly report: (verdict: Verdict) => Promise<void>;
}

/** Runs the cases; each ends in one verdict. What keeps guests from being there is a red verdict of its own step. */
export async function runMachine(run: MachineRun): Promise<void> {
  await using guests = new AsyncDisposableStack();
  const count = Math.max(...run.cases.map((known) => known.guests));
  const machine = `${run.release.name} x${count}`;
  const judge = async (name: string, action: () => Promise<string>): Promise<boolean> => {
    const startedAt = performance.now();
    const outcome = await withDeadline(action()).then(
      (reason) => ({ isGreen: true, reason }),
      (error: unknown) => ({ isGreen: false, reason: describeFailure(error) }),
    );
    await run.report({ machine, name, seconds: (performance.now() - startedAt) / 1000, ...outcome });
    return outcome.isGreen;
  };
  let cluster: Cluster | undefined;
  const isUp = await judge('boot', async () => {
    const booted = await boot(run, count, guests);
    cluster = { release: run.release, guests: booted };
    return await describe(booted[0]);
  });
  if (!isUp || cluster === undefined) return;
  const up = cluster;
  if (!(await judge('set-up', async () => (await setUp(up), '')))) return;
  for (const { name, run: tryCase } of run.cases) {
    const isGreen = await judge(name, async () => (await tryCase(up), ''));
    if (!isGreen) await makeIdle(up);
  }
}

async function boot(
  { release, runDir }: MachineRun,
  count: number,
  guests: AsyncDisposableStack,
): Promise<readonly [Guest, ...Guest[]]> {
  const disk = await ensureGuestDisk(release);
  const product = join(runDir, 'product.img');
  const productDisk = existsSync(product) ? product : await packProduct(runDir);
  const accelerator = await findAccelerator(disk);
  const start = async (index: number): Promise<Guest> => {
    const place = guestPlaces[index];
    if (place === undefined) throw new LabError(`There is no place for guest ${index + 1}.`);
    return guests.use(await bootGuest({ disk, productDisk, place, accelerator, runDir }));
  };
  const first = start(0);
  // The link's socket is the first guest's.
  if (count > 1)
    await until(20_000, 'the link between the guests', () =>
      Promise.resolve(existsSync(join(runDir, 'link.socket')) ? true : undefined),
    );
  const others = Array.from({ length: count - 1 }, async (_, index) => await start(index + 1));
  const booted = await Promise.all([first, ...others]);
  return booted;
}

async function describe(guest: Guest): Promise<string> {
  const shown = await guest.run(
    `uname -r; dockerd --version | cut -d, -f1; slurmctld -V; stat -f -c %T /sys/fs/cgroup; systemctl is-system-running || true`,
  );
  return shown.trim().split('\n').join(', ');
}

async function withDeadline<T>(action: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LabError(`No end after ${caseTimeoutMs / 1000} s.`)), caseTimeoutMs);
  });
  try {
    return await Promise.race([action, late]);
  } finally {
    clearTimeout(timer);
  }
}
