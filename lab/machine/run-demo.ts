/** README's first command on a stock Debian: a tree as a clean clone has it, `npm run demo`, and nothing of it left. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeFailure, LabError } from '../lab-error.ts';
import { cacheDir } from '../layout.ts';
import { ensureGuestDisk } from './build-guest.ts';
import { boundBy } from './deadline.ts';
import { findAccelerator } from './find-accelerator.ts';
import type { Accelerator } from './find-accelerator.ts';
import { bootGuest } from './guest.ts';
import type { Host } from './guest.ts';
import { guestPlaces } from './guest-files.ts';
import { judge } from './judge.ts';
import type { Court } from './judge.ts';
import { lastLines } from './jobs.ts';
import { packTree } from './pack-tree.ts';
import { describe } from './run-machine.ts';
import type { MachineRun } from './run-machine.ts';

/** As `--cases` calls it. */
export const demoName = 'demo';
/** Disks that must be built first take some minutes of it. */
const bootSeconds = 2400;
const demoSeconds = { kvm: 1800, tcg: 7200 } as const;
/** How many times longer than on a usual machine the lab waits. */
const patience = { kvm: 2, tcg: 12 } as const;
/** Three hosts, each with a Docker Engine, and a solver. */
const memoryMb = 6144;

/** Boots a guest of its own and runs the demo in it: a row for the boot and one for the demo. */
export async function runDemo(run: Omit<MachineRun, 'cases'>): Promise<void> {
  await using guests = new AsyncDisposableStack();
  const runDir = join(run.runDir, demoName);
  await mkdir(runDir);
  guests.defer(async () => await rm(runDir, { recursive: true }));
  let up: { readonly guest: Host; readonly accelerator: Accelerator } | undefined;
  const court: Court = { ...run, machine: `${run.release.name} x1`, hosts: () => (up === undefined ? [] : [up.guest]) };
  await judge(court, `boot for ${demoName}`, bootSeconds, async () => {
    const [place] = guestPlaces;
    if (place === undefined) throw new LabError('There is no place for a guest.');
    const disk = await ensureGuestDisk(run.release);
    const secondDisk = await packTree(runDir, run.release);
    const accelerator = await findAccelerator(disk);
    const guest = guests.use(await bootGuest({ ...{ disk, secondDisk, place, accelerator, memoryMb, runDir } }));
    up = { guest, accelerator };
    return await describe(guest);
  });
  if (up === undefined) return;
  const { guest, accelerator } = up;
  const isGreen = await judge(
    court,
    demoName,
    demoSeconds[accelerator],
    async (signal) => await tryDemo(boundBy(signal, guest), accelerator),
  );
  if (isGreen) return;
  const words = await guest.run(`cat ${output}`).catch(describeFailure);
  await writeFile(join(run.factsDir, `${run.release.name}-${demoName}-output.txt`), words);
}

/** What is on the machine that the demo must leave as it was: cgroups, links, mounts, daemons. */
const look = `
find /sys/fs/cgroup -type d ! -path '*/system.slice/*' ! -path '*/user.slice/*' | sort
ip -oneline link | cut -d: -f2
ip netns list
findmnt --raw --noheadings --output TARGET | sort
ps -eo comm= | grep -E 'docker|containerd|slurm|etcd|munge|tini|runc|helper' | sort || true`;

const prepare = `
mkdir -p /srv/demo ${cacheDir}
mount /dev/vdb /srv/demo
mount --bind /srv/demo/cache ${cacheDir}`;

const output = '/srv/demo/output';
const demo = `
export PATH=/srv/demo/npm/bin:$PATH npm_config_cache=/srv/demo/npm-cache npm_config_offline=true
export HPCDJ_LAB_PATIENCE=$1
cd /srv/demo/tree
npm run demo >${output} 2>&1`;

async function tryDemo(guest: Host, accelerator: Accelerator): Promise<string> {
  await guest.run(prepare);
  const before = await guest.run(look);
  const timeoutMs = demoSeconds[accelerator] * 1000;
  const { status } = await guest.tryRun(demo, { args: [String(patience[accelerator])], timeoutMs });
  const said = await guest.run(`cat ${output}`);
  if (status !== 0) throw new LabError(`npm run demo ended with ${status}: ${lastLines(said)}`);
  const [total] = /^Done in .*/m.exec(said) ?? [];
  if (total === undefined) throw new LabError(`npm run demo did not say that it is done: ${lastLines(said)}`);
  const known = before.split('\n');
  const left = (await guest.run(look)).split('\n').filter((line) => !known.includes(line));
  if (left.length > 0) throw new LabError(`Left behind: ${left.slice(0, 6).join('; ')}`);
  const shown = said.split('\n').filter((line) => /median|what is left|^ {3}nothing/.test(line));
  return [total, ...shown].map((line) => line.trim()).join('; ');
}
