/** One release: guests are booted and set up, and the cases run in them one after the other. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError } from '../lab-error.ts';
import { ensureGuestDisk } from './build-guest.ts';
import type { MachineCase } from './cases.ts';
import { setUp, useCgroups } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { boundBy, until } from './deadline.ts';
import { findAccelerator } from './find-accelerator.ts';
import { bootGuest, linkSocket } from './guest.ts';
import type { Guest, Host } from './guest.ts';
import { guestPlaces } from './guest-files.ts';
import type { CgroupUseName } from './guest-files.ts';
import { judge } from './judge.ts';
import type { Court } from './judge.ts';
import { makeIdle } from './leftovers.ts';
import { packProduct } from './pack-product.ts';
import type { Release } from './releases.ts';
import type { Verdict } from './verdicts.ts';

/** A disk that must be built first takes some minutes of it. */
const bootSeconds = 1500;
const setUpSeconds = 1200;
/** For the deadlines of all that it does, one after the other. */
const makeIdleSeconds = 1200;

export interface MachineRun {
  readonly release: Release;
  readonly cases: readonly MachineCase[];
  /** A directory that the caller takes away. */
  readonly runDir: string;
  /** Where files about red rows go. */
  readonly factsDir: string;
  readonly report: (verdict: Verdict) => Promise<void>;
}

/** Runs the cases; each ends in one verdict. What keeps guests from being there is a red verdict of its own step. */
export async function runMachine(run: MachineRun): Promise<void> {
  await using guests = new AsyncDisposableStack();
  const count = Math.max(...run.cases.map((known) => known.guests));
  const machine = `${run.release.name} x${count}`;
  let cluster: Cluster | undefined;
  const court: Court = { ...run, machine, hosts: () => cluster?.guests ?? [] };
  const isUp = await judge(court, 'boot', bootSeconds, async () => {
    const booted = await boot(run, count, guests);
    cluster = { release: run.release, guests: booted };
    return await describe(booted[0]);
  });
  if (!isUp || cluster === undefined) return;
  const up = cluster;
  if (!(await judge(court, 'set-up', setUpSeconds, async (signal) => (await setUp(bind(up, signal)), '')))) return;
  let cgroups: CgroupUseName | undefined = 'cgroupfs';
  for (const known of run.cases) {
    const isGreen = await judge(court, known.name, known.deadlineSeconds, async (signal) => {
      const bound = bind(up, signal);
      if (cgroups !== known.cgroups) {
        cgroups = undefined;
        await useCgroups(bound.guests[0], known.cgroups);
        cgroups = known.cgroups;
      }
      return await known.run(bound);
    });
    const isIdle =
      isGreen ||
      (await judge(court, 'clean-up', makeIdleSeconds, async (signal) => (await makeIdle(bind(up, signal)), '')));
    if (!isIdle) return;
  }
}

function bind({ release, guests: [head, ...others] }: Cluster, signal: AbortSignal): Cluster {
  const bound = (host: Host): Host => boundBy(signal, host);
  return { release, guests: [bound(head), ...others.map(bound)] };
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
    return guests.use(await bootGuest({ disk, secondDisk: productDisk, place, accelerator, runDir }));
  };
  const link = linkSocket(runDir);
  // One of the release before would be taken for this one's.
  await rm(link, { force: true });
  const first = start(0);
  // The link's socket is the first guest's.
  if (count > 1) {
    const isThere = (): Promise<true | undefined> => Promise.resolve(existsSync(link) ? true : undefined);
    await Promise.race([first, until({ what: 'the link between the guests', timeoutMs: 20_000 }, isThere)]);
  }
  const others = Array.from({ length: count - 1 }, async (_, index) => await start(index + 1));
  return await Promise.all([first, ...others]);
}

/** What a guest is, for a row of the table. */
export async function describe(guest: Host): Promise<string> {
  const shown = await guest.run(
    `uname -r; dockerd --version | cut -d, -f1; slurmctld -V; stat -f -c %T /sys/fs/cgroup; systemctl is-system-running || true`,
  );
  return shown.trim().split('\n').join(', ');
}
