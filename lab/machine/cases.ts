/** What is tried in guests: each case fails with the reason that its row shows, or returns a remark for it. */
import * as z from 'zod';
import { parseJsonAs } from '../../src/values/parse-json-as.ts';
import { LabError } from '../lab-error.ts';
import type { Cluster } from './cluster.ts';
import type { CgroupDriver, CgroupUseName } from './guest-files.ts';
import { until } from './deadline.ts';
import { inTiny, lastLines, startJob } from './jobs.ts';
import type { EndedJob, StartedJob } from './jobs.ts';
import { requireNothingLeft } from './leftovers.ts';
import { checkPlacement } from './placement.ts';

export interface MachineCase {
  readonly name: string;
  /** Guests it needs at least. */
  readonly guests: 1 | 2;
  /** Of the first guest while the case runs. */
  readonly cgroups: CgroupUseName;
  /** An idle machine with emulated guests needs an eighth of it. */
  readonly deadlineSeconds: number;
  readonly run: (cluster: Cluster) => Promise<string>;
}

const oneHost = ['-N1', '-n1', '--mem=600M', '--nodelist=node1'];
const twoHosts = ['-N2', '-n2', '--mem=600M'];
const counting = `${inTiny} sh -c 'echo started; i=0; while :; do i=$((i+1)); echo $i >count; sleep 1; done'`;

type Run = MachineCase['run'];
const on = (cgroups: CgroupUseName, guests: 1 | 2, name: string, deadlineSeconds: number, run: Run): MachineCase => ({
  ...{ cgroups, guests, name, deadlineSeconds, run },
});

export const machineCases: readonly MachineCase[] = [
  on('cgroupfs', 1, 'doctor', 300, askDoctor),
  on('cgroupfs', 1, 'one-host', 600, runOnOneHost),
  on('cgroupfs', 1, 'limits', 900, async (cluster) => await checkLimits(cluster, 'cgroupfs')),
  on('cgroupfs', 1, 'memory-limit', 600, exceedMemory),
  on('cgroupfs', 1, 'suspend', 900, suspendAndResume),
  on('cgroupfs', 1, 'cancel', 900, cancelRunning),
  on('cgroupfs', 1, 'cancel-suspended', 900, cancelSuspended),
  on('cgroupfs', 1, 'epilog', 900, leaveItToTheEpilog),
  on('cgroupfs', 2, 'two-hosts', 900, runOnTwoHosts),
  on('cgroupfs', 2, 'two-hosts-cancel', 1200, cancelOnTwoHosts),
  on('systemd, unagreed', 1, 'systemd-refused', 600, beRefused),
  on('systemd', 1, 'systemd-one-host', 600, runOnOneHost),
  on('systemd', 1, 'systemd-limits', 900, async (cluster) => await checkLimits(cluster, 'systemd')),
  on('systemd', 1, 'systemd-memory-limit', 600, exceedMemory),
  on('systemd', 1, 'systemd-suspend', 900, suspendAndResume),
  on('systemd', 1, 'systemd-cancel', 900, cancelRunning),
  on('systemd', 1, 'systemd-cancel-suspended', 900, cancelSuspended),
  on('systemd', 1, 'systemd-epilog', 900, leaveItToTheEpilog),
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

async function askDoctor({ guests }: Cluster): Promise<string> {
  for (const guest of guests) {
    const { stdout, stderr } = await guest.tryRun('hpc-submit-dockerjob doctor --json');
    require(stdout !== '', `doctor said nothing: ${lastLines(stderr)}`);
    const failed = parseJsonAs(doctorSchema, stdout).checks.filter(({ verdict }) => verdict === 'fail');
    require(failed.length === 0, failed.map(({ check, message }) => `${check}: ${message}`).join('; '));
  }
  return '';
}

async function runOnOneHost(cluster: Cluster): Promise<string> {
  const job = await startJob(cluster, `${inTiny} sh -c 'id -u; cat /proc/self/cgroup'`, oneHost);
  const ended = await job.end();
  requireSuccess(ended);
  require(ended.stdout.startsWith('2001\n'), `The command ran as ${ended.stdout.slice(0, 20)}, not as 2001.`);
  await requireNothingLeft(cluster);
  return '';
}

/** Without the site's consent no container starts outside of the job's cgroup. */
async function beRefused(cluster: Cluster): Promise<string> {
  const job = await startJob(cluster, `${inTiny} true`, oneHost);
  const { state, exitCode, stderr } = await job.end();
  require(state === 'FAILED' && exitCode === '69:0', `The job was ${state} ${exitCode}: ${lastLines(stderr)}`);
  for (const word of ['[HOST_UNFIT]', 'native.cgroupdriver=cgroupfs', 'requireJobCgroup'])
    require(stderr.includes(word), `The refusal does not say ${word}: ${lastLines(stderr)}`);
  await requireNothingLeft(cluster);
  return '';
}

/** A job that holds memory for as long as its limits are looked at. */
async function checkLimits(cluster: Cluster, driver: CgroupDriver): Promise<string> {
  const hold = `dd if=/dev/zero bs=200M count=1 2>/dev/null | (sleep 3; echo started; sleep 3600)`;
  const job = await startJob(cluster, `${inTiny} sh -c '${hold}'`, oneHost);
  await job.shows('started');
  const remark = await checkPlacement(cluster.guests[0], job.id, driver);
  await cancel(cluster, job);
  return remark;
}

async function exceedMemory(cluster: Cluster): Promise<string> {
  // dd holds one block in memory, and fills it.
  const job = await startJob(cluster, `${inTiny} dd if=/dev/zero of=/dev/null bs=1500M count=1`, oneHost);
  const { state, exitCode, stderr } = await job.end();
  const isKilled = exitCode.startsWith('137:') || state === 'OUT_OF_MEMORY';
  require(isKilled, `The job took 1500 MB of its 600 MB and was ${state} ${exitCode}: ${lastLines(stderr)}`);
  const isTold = stderr.includes('memory ran out on host node1');
  require(isTold || state === 'OUT_OF_MEMORY', `Nothing says that memory ran out: ${state}, ${lastLines(stderr)}`);
  await requireNothingLeft(cluster);
  return `${state} ${exitCode}${isTold ? ', and the output says that memory ran out' : ''}`;
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
  return await until({ what: 'the suspended command to stop' }, async () => {
    const now = await readCount(cluster);
    const isSame = now === last;
    last = now;
    await cluster.guests[0].run('sleep 4');
    return isSame ? now : undefined;
  });
}

async function suspendAndResume(cluster: Cluster): Promise<string> {
  const [head] = cluster.guests;
  const job = await startCounting(cluster);
  await head.run(`scontrol suspend ${job.id}`);
  const stopped = await awaitStandstill(cluster);
  await head.run(`scontrol resume ${job.id}`);
  await until({ what: 'the command to go on' }, async () => ((await readCount(cluster)) > stopped ? true : undefined));
  await cancel(cluster, job);
  return '';
}

async function cancel(cluster: Cluster, { id, end }: StartedJob): Promise<void> {
  await cluster.guests[0].run(`scancel ${id}`);
  const { state } = await end();
  require(state === 'CANCELLED', `The cancelled job was ${state}.`);
  await requireNothingLeft(cluster);
}

async function cancelRunning(cluster: Cluster): Promise<string> {
  await cancel(cluster, await startCounting(cluster));
  return '';
}

async function cancelSuspended(cluster: Cluster): Promise<string> {
  const job = await startCounting(cluster);
  await cluster.guests[0].run(`scontrol suspend ${job.id}`);
  await awaitStandstill(cluster);
  await cancel(cluster, job);
  return '';
}

/** All of the job's own programs on the host die at once. */
async function leaveItToTheEpilog(cluster: Cluster): Promise<string> {
  const [head] = cluster.guests;
  const job = await startCounting(cluster);
  await head.run(`
docker ps --quiet | grep -q .
pkill -KILL -f 'share/guard-disk-watch|dist/(helper|middleware|disk-watch)[.]cjs'`);
  // Its script was our own program: to Slurm the job may be over by now.
  await head.tryRun(`scancel ${job.id}`);
  const { state } = await job.end();
  await requireNothingLeft(cluster);
  return `the job was ${state}`;
}

const meetPeers = `echo "here $(hostname)"
for n in 0 1; do ssh node-$n hostname; done`;

async function runOnTwoHosts(cluster: Cluster): Promise<string> {
  for (const guest of cluster.guests) await guest.run('ip link show dev eth0 >/dev/null');
  const job = await startJob(cluster, `${inTiny} sh -c '${meetPeers}'`, twoHosts);
  const ended = await job.end();
  requireSuccess(ended);
  for (const index of [0, 1])
    require(ended.stdout.includes(
      `\n${job.id}-node-${index}`,
    ), `No answer of node ${index}: ${lastLines(ended.stdout)}`);
  await requireNothingLeft(cluster);
  return '';
}

async function cancelOnTwoHosts(cluster: Cluster): Promise<string> {
  const job = await startJob(cluster, counting, twoHosts);
  await job.shows('started');
  await cancel(cluster, job);
  return '';
}
