/**
 * CPU time that one job costs its hosts, of this tree and of another one (an older release, say), in pairs, in turn, in one
 * run. `hosts`: everything on the hosts counts, Docker Engine and scheduler included; what the idle hosts use in the same
 * time is taken off. `steps`: only what Slurm has in the job's steps, which is our programs with sudo and srun. Needs two
 * labs of three hosts that are up, each from its own tree, with the image lab/mpi:1:
 *   npm run lab -- up --name bench     (here and, with --name benchb, in the other tree)
 *   bash scripts/run node bench/cpu-per-job.ts [--name bench] [--other benchb] [--rounds 10] [--hosts 3]
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { awaitJob, readLabFile, submitJob } from '../lab/batch-jobs.ts';
import { findLab } from '../lab/lab.ts';
import type { Lab } from '../lab/running-lab.ts';

const { values } = parseArgs({
  options: {
    name: { type: 'string', default: 'bench' },
    other: { type: 'string', default: 'benchb' },
    rounds: { type: 'string', default: '10' },
    hosts: { type: 'string', default: '3' },
  },
});
const labs = { here: await findLab(values.name), other: await findLab(values.other) };
/** What ends late on a host still belongs to its job. */
const settleMs = 3000;

interface CpuSeconds {
  readonly hosts: number;
  readonly steps: number;
}

/** CPU seconds of all hosts of the lab since they came up; those of cgroups that are gone are in it. */
async function readCpuSeconds(lab: Lab): Promise<CpuSeconds> {
  const roots = lab.nodes.map(({ name, cgroups }) => ({
    host: cgroups.find((path) => path.includes('/cpuacct/')) ?? '',
    steps: `slurm_${name}`,
  }));
  const sumUp = async (directories: readonly string[]): Promise<number> => {
    const nanoseconds = directories.map(async (each) => Number(await readFile(`${each}/cpuacct.usage`, 'utf8')));
    return (await Promise.all(nanoseconds)).reduce((sum, each) => sum + each, 0) / 1e9;
  };
  return {
    hosts: await sumUp(roots.map(({ host }) => host)),
    steps: await sumUp(roots.map(({ host, steps }) => `${host}/${steps}`)),
  };
}

/** CPU and wall seconds from submission until the hosts have come to rest. */
async function spend(lab: Lab, act: () => Promise<void>): Promise<{ cpu: CpuSeconds; wallSeconds: number }> {
  const before = await readCpuSeconds(lab);
  const startedAtMs = performance.now();
  await act();
  const wallSeconds = (performance.now() - startedAtMs) / 1000;
  await pause(settleMs);
  const after = await readCpuSeconds(lab);
  return { cpu: { hosts: after.hosts - before.hosts, steps: after.steps - before.steps }, wallSeconds };
}

async function runJob(lab: Lab): Promise<void> {
  const directory = '/scratch/bench-cpu';
  const script = '#!/bin/bash\nhpc-submit-dockerjob --quiet --image lab/mpi:1 -- true\n';
  const id = await submitJob(lab, {
    user: 'alice',
    directory,
    sbatch: [`-N${values.hosts}`, `-n${values.hosts}`],
    script,
  });
  const { state } = await awaitJob(lab, id);
  if (state !== 'COMPLETED') throw new Error(`${state}: ${await readLabFile(lab, `${directory}/job.err`)}`);
}

async function measureJob(lab: Lab): Promise<CpuSeconds> {
  const { cpu, wallSeconds } = await spend(lab, async () => await runJob(lab));
  const { cpu: idle } = await spend(lab, async () => await pause(wallSeconds * 1000));
  return { hosts: cpu.hosts - idle.hosts, steps: cpu.steps };
}

const spent: Record<keyof typeof labs, CpuSeconds[]> = { here: [], other: [] };
for (const lab of Object.values(labs)) await runJob(lab); // warms the caches
for (let round = 0; round < Number(values.rounds); round += 1)
  for (const name of round % 2 === 0 ? (['here', 'other'] as const) : (['other', 'here'] as const))
    spent[name].push(await measureJob(labs[name]));

const median = (all: readonly number[]): number =>
  all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN;
const inMs = (value: number): number => Math.round(value * 1000);
const perHost = (all: readonly number[]): number => inMs(median(all) / Number(values.hosts));

function compare(what: keyof CpuSeconds): object {
  const here = spent.here.map((each) => each[what]);
  const other = spent.other.map((each) => each[what]);
  const differences = here.map((each, round) => each - (other[round] ?? Number.NaN));
  return {
    cpuMsPerHost: { here: perHost(here), other: perHost(other) },
    medianDifferenceMsPerHost: perHost(differences),
    cpuMsPerJob: { here: here.map(inMs), other: other.map(inMs) },
  };
}
console.log(JSON.stringify({ hosts: Number(values.hosts), ofHosts: compare('hosts'), ofSteps: compare('steps') }));
