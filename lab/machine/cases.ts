/** What is tried in guests: each case fails with the reason that its row shows. */
import * as z from 'zod';
import { parseJsonAs } from '../../src/values/parse-json-as.ts';
import { LabError } from '../lab-error.ts';
import { useDriver } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { inTiny, lastLines, requireNothingLeft, startJob, until } from './jobs.ts';
import type { EndedJob, StartedJob } from './jobs.ts';

export interface MachineCase {
  readonly name: string;
  /** Guests it needs at least. */
  readonly guests: 1 | 2;
  readonly run: (cluster: Cluster) => Promise<void>;
}

const oneHost = ['-N1', '-n1', '--mem=600M'];
const twoHosts = ['-N2', '-n2', '--mem=600M'];
const counting = `${inTiny} sh -c 'echo started; i=0; while :; do i=$((i+1)); echo $i >count; sleep 1; done'`;

export const machineCases: readonly MachineCase[] = [
  { name: 'doctor', guests: 1, run: askDoctor },
  { name: 'one-host', guests: 1, run: runOnOneHost },
  { name: 'memory-limit', guests: 1, run: exceedMemory },
  { name: 'suspend', guests: 1, run: suspendAndResume },
  { name: 'cancel', guests: 1, run: cancelRunning },
  { name: 'cancel-suspended', guests: 1, run: cancelSuspended },
  { name: 'epilog', guests: 1, run: leaveItToTheEpilog },
  { name: 'two-hosts', guests: 2, run: runOnTwoHosts },
  { name: 'two-hosts-cancel', guests: 2, run: cancelOnTwoHosts },
  { name: 'systemd-one-host', guests: 1, run: withSystemdDriver(runOnOneHost) },
  { name: 'systemd-memory-limit', guests: 1, run: withSystemdDriver(exceedMemory) },
  { name: 'systemd-cancel', guests: 1, run: withSystemdDriver(cancelRunning) },
];

function require(isSo: boolean, otherwise: string): void {
  if (!isSo) throw new LabError(otherwise);
}

function requireSuccess({ state, exitCode, stderr }: EndedJob): void {
  require(state === 'COMPLETED' && exitCode === '0:0', `The job was ${state} ${exitCode}: ${lastLines(stderr)}`);
  require(stderr.includes('nothing is left behind'), `The job did not say that nothing is left: ${lastLines(stderr)}`);
}

const doctorSchema = z.object({
  checks: z.array(z.object({ check: z.string(), verdict: z.string(), message: z.string() })),
});

async function askDoctor({ guests }: Cluster): Promise<void> {
  for (const guest of guests) {
    const { stdout, stderr } = await guest.tryRun('hpc-submit-dockerjob doctor --json');
    require(stdout !== '', `doctor said nothing: ${lastLines(stderr)}`);
    const failed = parseJsonAs(doctorSchema, stdout).checks.filter(({ verdict }) => verdict === 'fail');
    require(failed.length === 0, failed.map(({ check, message }) => `${check}: ${message}`).join('; '));
  }
}

async function runOnOneHost(cluster: Cluster): Promise<void> {
  const job = await startJob(cluster, `${inTiny} sh -c 'id -u; cat /proc/self/cgroup'`, oneHost);
  const ended = await job.end();
  requireSuccess(ended);
  require(ended.stdout.startsWith('2001\n'), `The command ran as ${ended.stdout.slice(0, 20)}, not as 2001.`);
  await requireNothingLeft(cluster);
}

async function exceedMemory(cluster: Cluster): Promise<void> {
  // dd holds one block in memory, and fills it.
  const job = await startJob(cluster, `${inTiny} dd if=/dev/zero of=/dev/null bs=1500M count=1`, oneHost);
  const ended = await job.end();
  const isKilled = ended.exitCode.startsWith('137:') || ended.state === 'OUT_OF_MEMORY';
  require(isKilled, `The job took 1500 MB of its 600 MB and was ${ended.state} ${ended.exitCode}: ${lastLines(ended.stderr)}`);
  await requireNothingLeft(cluster);
}

async function startCounting(cluster: Cluster): Promise<StartedJob> {
  await cluster.guests[0].run('rm -f /scratch/alice/count');
  const job = await startJob(cluster, counting, oneHost);
  await job.shows('started');
  return job;
}

async function readCount({ guests: [head] }: Cluster): Promise<number> {
  return Number((await head.run('cat /scratch/alice/count 2>/dev/null || echo 0')).trim());
}

/** The count after two looks that are the same, some seconds apart. */
async function awaitStandstill(cluster: Cluster): Promise<number> {
  let last = -1;
  return await until(60_000, 'the suspended command to stand still', async () => {
    const now = await readCount(cluster);
    const isSame = now === last;
    last = now;
    await cluster.guests[0].run('sleep 4');
    return isSame ? now : undefined;
  });
}

async function suspendAndResume(cluster: Cluster): Promise<void> {
  const [head] = cluster.guests;
  const job = await startCounting(cluster);
  await head.run(`scontrol suspend ${job.id}`);
  const stopped = await awaitStandstill(cluster);
  await head.run(`scontrol resume ${job.id}`);
  await until(60_000, 'the command to go on', async () => ((await readCount(cluster)) > stopped ? true : undefined));
  await cancel(cluster, job);
}

async function cancel(cluster: Cluster, { id, end }: StartedJob): Promise<void> {
  await cluster.guests[0].run(`scancel ${id}`);
  const { state } = await end();
  require(state === 'CANCELLED', `The cancelled job was ${state}.`);
  await requireNothingLeft(cluster);
}

async function cancelRunning(cluster: Cluster): Promise<void> {
  await cancel(cluster, await startCounting(cluster));
}

async function cancelSuspended(cluster: Cluster): Promise<void> {
  const job = await startCounting(cluster);
  await cluster.guests[0].run(`scontrol suspend ${job.id}`);
  await awaitStandstill(cluster);
  await cancel(cluster, job);
}

/** All of the job's own programs on the host die at once. */
async function leaveItToTheEpilog(cluster: Cluster): Promise<void> {
  const job = await startCounting(cluster);
  await cluster.guests[0].run("pkill -KILL -f 'dist/(helper|cli)[.]cjs'");
  await cluster.guests[0].run(`scancel ${job.id}`);
  await job.end();
  await requireNothingLeft(cluster);
}

const meetPeers = `echo "here $(hostname)"
for n in 0 1; do ssh node-$n hostname; done`;

async function runOnTwoHosts(cluster: Cluster): Promise<void> {
  for (const guest of cluster.guests) await guest.run('ip link show dev eth0 >/dev/null');
  const job = await startJob(cluster, `${inTiny} sh -c '${meetPeers}'`, twoHosts);
  const ended = await job.end();
  requireSuccess(ended);
  for (const index of [0, 1])
    require(ended.stdout.includes(
      `\n${job.id}-node-${index}`,
    ), `No answer of node ${index}: ${lastLines(ended.stdout)}`);
  await requireNothingLeft(cluster);
}

async function cancelOnTwoHosts(cluster: Cluster): Promise<void> {
  const job = await startJob(cluster, counting, twoHosts);
  await job.shows('started');
  await cancel(cluster, job);
}

/** The first guest's Docker Engine is Docker's own choice on cgroup v2 while the case runs. */
function withSystemdDriver(run: MachineCase['run']): MachineCase['run'] {
  return async (cluster) => {
    const [head] = cluster.guests;
    await useDriver(head, 'systemd');
    try {
      await run({ ...cluster, guests: [head] });
    } finally {
      await useDriver(head, 'cgroupfs');
    }
  };
}
