import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { parseSite } from '../../src/config/parse-site.ts';
import { connectEngine } from '../../src/docker/connect-engine.ts';
import { connectEtcd } from '../../src/etcd/connect-etcd.ts';
import { controlJob } from '../../src/helper/control/control-job.ts';
import { findJobsHere } from '../../src/helper/release/find-jobs-here.ts';
import type { HelperContext } from '../../src/helper/open-context.ts';
import { reapJobs } from '../../src/helper/release/reap-jobs.ts';
import { leaveEndHere, isEndTaken, takeEndHere } from '../../src/helper/job/end-here.ts';
import { releaseJob } from '../../src/helper/release/release-job.ts';
import { releaseKeys } from '../../src/helper/release/release-keys.ts';
import { releaseNode } from '../../src/helper/release/release-node.ts';
import {
  createJobRunDirectory,
  createNodeRunDirectory,
  forgetJobHere,
  isKeptHere,
  jobRunDirectory,
  markKeptHere,
} from '../../src/helper/host/run-directory.ts';
import { awaitReapers } from '../../src/helper/host/reaping-mark.ts';
import { hostCommands } from '../../src/helper/host/host-commands.ts';
import { findJobTable, installJobTable } from '../../src/network/job-table.ts';
import { networkKinds } from '../../src/network/known-networks.ts';
import type { Store } from '../../src/ports/store.ts';
import { requireJobKey } from '../../src/contract/job-key.ts';
import type { JobKey } from '../../src/contract/job-key.ts';
import type { JobPlan } from '../../src/contract/job-plan.ts';
import { jobPlanSchema } from '../../src/contract/job-plan.ts';
import { jobFieldKey, jobRange, nodeFieldKey, subnetKey, subnetsRange } from '../../src/contract/kvs-keys.ts';
import { labels } from '../../src/contract/labels.ts';
import { ownMarks, shellContainer } from '../support/container-spec.ts';
import { keepAudit } from '../support/fake-audit.ts';
import { listCgroupMarks, markCgroup } from '../../src/helper/host/cgroup-marks.ts';
import { listRootMarks, markRoot } from '../../src/helper/host/root-marks.ts';
import { busyboxImage, startDockerEngine } from '../support/docker-engine.ts';
import type { TestEngine } from '../support/docker-engine.ts';
import { startEtcd } from '../support/etcd-server.ts';
import type { EtcdServer } from '../support/etcd-server.ts';
import { makePlan } from '../support/make-plan.ts';
import { jobStoreIn } from '../support/job-store.ts';

// Run directories are made in their real place, which is a mount of the tests' own, below ids that no scheduler gives.
const firstId = 900_000_000_000 + process.pid * 1000;
const commandPath = '/usr/sbin:/usr/bin:/sbin:/bin';

let docker: TestEngine;
let etcd: EtcdServer;
let store: Store;
let directory: string;
let context: HelperContext;
let audited: string[];
let live: Set<string>;
/** By the scheduler's word, of every job. */
let owners: readonly number[] = [];
let suspendedSeconds: number;
let count = 0;
const undo = new AsyncDisposableStack();

beforeAll(async () => {
  if (!(await readFile('/proc/self/mountinfo', 'utf8')).includes(' /run/hpc-dockerjob '))
    throw new Error(
      'These tests release all that is in /run/hpc-dockerjob; npm run test:integration gives them their own.',
    );
  [docker, etcd] = await Promise.all([startDockerEngine(), startEtcd()]);
  undo.use(docker);
  undo.use(etcd);
  directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-test-'));
  undo.defer(async () => await rm(directory, { recursive: true }));
  for (const name of ['ca', 'cert', 'key'] as const)
    await writeFile(path.join(directory, `${name}.pem`), etcd.identity[name]);
  store = connectEtcd({ ...etcd.identity, endpoints: [etcd.endpoint], callTimeoutMs: 1000 });
  undo.defer(async () => await store.close());
});
afterAll(async () => await undo.disposeAsync());

beforeEach(() => {
  audited = [];
  live = new Set();
  suspendedSeconds = 0;
  context = contextWith(docker.socketPath);
});

afterEach(async () => {
  await store.commit({ deletes: [{ start: '/', end: '0' }] });
  for (let made = 0; made <= count; made += 1)
    for (const suffix of ['', '_3'])
      await rm(`/run/hpc-dockerjob/${firstId + made}${suffix}`, { recursive: true, force: true });
});

function contextWith(socketPath: string): HelperContext {
  const site = parseSite(`version: 1
etcd: {endpoints: ["${etcd.endpoint}"], caFile: ${directory}/ca.pem, certFile: ${directory}/cert.pem, keyFile: ${directory}/key.pem, callTimeoutMs: 300}
`);
  const engine = connectEngine({ socketPath, callTimeoutMs: 5000 });
  const unused = (): never => {
    throw new Error('not part of a release');
  };
  return {
    site,
    caller: { kind: 'root' },
    engine,
    authorities: {
      of: unused,
      findJobCgroup: () => undefined,
      nameCgroup: unused,
      isOver: (id) => Promise.resolve(!live.has(id)),
      findOwners: () => Promise.resolve(owners),
      readSuspendedSeconds: () => Promise.resolve(suspendedSeconds),
    },
    audit: keepAudit(audited),
    findRuntime: unused,
    network: (name) => networkKinds[name].open(engine, hostCommands({ commandPath, enter: enterHost() })),
  };
}

function enterHost(): readonly string[] {
  return ['/usr/bin/nsenter', '--target', String(docker.pid), '--net', '--mount', '--'];
}

const commands = () => hostCommands({ commandPath, enter: enterHost() });

/** A plan of a job of this host and another one; with its keys in the store as `finish` says. */
async function openJobOfTwo({
  isElement = false,
  finish = 'TRUE',
}: { readonly isElement?: boolean; readonly finish?: 'TRUE' | 'FALSE' | 'absent' } = {}): Promise<JobPlan> {
  count += 1;
  const id = String(firstId + count);
  const job = isElement ? `${firstId}_3` : id;
  const plan = jobPlanSchema.parse({ ...makePlan({ hosts: [hostname(), 'elsewhere'] }), job, schedulerJobId: id });
  const claim = { job, token: plan.token, since: new Date().toISOString(), index: 1 };
  await store.commit({
    puts: [
      { key: jobFieldKey('', plan.job, 'PLAN'), value: JSON.stringify(plan) },
      { key: jobFieldKey('', plan.job, 'RUN'), value: plan.token },
      { key: subnetKey('', plan.network.cidr), value: JSON.stringify(claim) },
      ...(finish === 'absent' ? [] : [{ key: jobFieldKey('', plan.job, 'FINISH'), value: finish }]),
    ],
  });
  return plan;
}

async function setPhase(plan: JobPlan, index: number, phase: string): Promise<void> {
  await store.commit({ puts: [{ key: nodeFieldKey('', plan.job, index, 'PHASE'), value: phase }] });
}

/** All that a job has on a host: run directory, packet filter, running container. */
async function occupyHost(plan: JobPlan, runUntil = ''): Promise<void> {
  await createNodeRunDirectory(plan, plan.nodes[0]!);
  await installJobTable(commands(), plan.job, 'chain input { type filter hook input priority raw; }');
  const image = (await context.engine.findImage(busyboxImage))?.id ?? '';
  const facts = { [labels.schedulerJob]: plan.schedulerJobId, [labels.uid]: '2001', [labels.runUntil]: runUntil };
  const own = await ownMarks(docker, plan.job, facts);
  const container = await context.engine.createContainer(shellContainer(image, 'sleep 600', own));
  await container.start();
}

/** A process that looks like the job's run-node on this host, and has marked itself. */
async function startHelper(job: JobKey, script: string): Promise<ChildProcess> {
  const marks = fileURLToPath(new URL('../../src/helper/host/helper-marks.ts', import.meta.url));
  const whole = `import { markHelper } from '${marks}';
    await markHelper('${jobRunDirectory(job)}');
    ${script}
    console.log('ready');`;
  const argv = ['--input-type=module-typescript', '--eval', whole, '--', 'run-node', job, 'abc'];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

/** Reads the output of the container until it ends, as a run-node does. */
async function attachAsHelper(job: JobKey, container: string): Promise<ChildProcess> {
  const script = `import { connect } from 'node:net';
    const socket = connect('${docker.socketPath}');
    socket.on('end', () => socket.end()).resume();
    const headers = 'Host: docker\\r\\nConnection: Upgrade\\r\\nUpgrade: tcp\\r\\n\\r\\n';
    socket.write('POST /containers/${container}/attach?stream=1&stdout=1&stderr=1 HTTP/1.1\\r\\n' + headers);
    await new Promise((resolve) => socket.once('data', resolve));`;
  return await startHelper(job, script);
}

/** A process of this user on the host that keeps a file open. */
async function holdOpen(uid: number, file: string): Promise<ChildProcess> {
  const argv = [`--reuid=${uid}`, '--regid=2002', '--clear-groups', 'sh', '-c', 'echo held; exec sleep 100'];
  const opened = openSync(file, 'r');
  const holder = spawn('/usr/bin/setpriv', argv, { stdio: ['ignore', 'pipe', 'inherit', opened] });
  closeSync(opened);
  onTestFinished(() => void holder.kill('SIGKILL'));
  await once(holder.stdout!, 'data');
  return holder;
}

async function findHere(job: JobKey): Promise<readonly string[]> {
  const containers = await context.engine.findContainers({ [labels.job]: job });
  const hasDirectory = await access(jobRunDirectory(job)).then(
    () => ['run directory'],
    () => [],
  );
  return [...containers.map(() => 'container'), ...(await findJobTable(commands(), job)), ...hasDirectory];
}

async function keysOf(job: JobKey): Promise<number> {
  return (await store.read(jobRange('', job))).length + (await store.read(subnetsRange(''))).length;
}

describe('release-node', () => {
  test('ends with a clean host and a warning when etcd is away, and keeps the trace for later', async () => {
    const plan = await openJobOfTwo();
    await occupyHost(plan);
    await etcd.kill();
    try {
      const { leftovers, untold } = await releaseNode(context, plan.job);
      expect(leftovers).toEqual([]);
      expect(untold).toMatch(/^keys of job \d+: Could not reach the key-value store: .*[^.]$/);
      expect(await findHere(plan.job)).toEqual(['run directory']);
      expect(audited.at(-1)).toContain('Could not reach the key-value store');
    } finally {
      await etcd.start();
    }
    // The next epilog, or reap, tells it.
    expect(await releaseNode(context, plan.job)).toEqual({ wasHere: true, leftovers: [], untold: undefined });
    expect(await findHere(plan.job)).toEqual([]);
    expect(await keysOf(plan.job)).toBe(0);
    expect(await releaseNode(context, plan.job)).toEqual({ wasHere: false, leftovers: [], untold: undefined });
  });

  test('finds an element of an array by the scheduler’s own id', async () => {
    const plan = await openJobOfTwo({ isElement: true });
    await createNodeRunDirectory(plan, plan.nodes[0]!);
    await installJobTable(commands(), plan.job, '');
    expect(await findJobsHere(context, plan.schedulerJobId)).toEqual([plan.job]);
    expect(await findJobsHere(context, String(firstId))).toEqual([]);
    await releaseNode(context, plan.job);
    expect(await findHere(plan.job)).toEqual([]);
  });

  test('ends a helper that stands still and holds the output of a container, and one that works by itself lets go', async () => {
    const patient = { ...context, engine: connectEngine({ socketPath: docker.socketPath }) };
    const image = (await context.engine.findImage(busyboxImage))?.id ?? '';
    for (const signal of ['SIGSTOP', undefined] as const) {
      const plan = await openJobOfTwo();
      await createNodeRunDirectory(plan, plan.nodes[0]!);
      const container = await context.engine.createContainer(
        shellContainer(image, 'cat /dev/zero', await ownMarks(docker, plan.job)),
      );
      const reader = await attachAsHelper(plan.job, container.id);
      const ended = once(reader, 'exit');
      await container.start();
      await sleep(500);
      if (signal !== undefined) reader.kill(signal);
      await sleep(1500);
      const startedAt = performance.now();
      expect(await releaseNode(patient, plan.job)).toEqual({ wasHere: true, leftovers: [], untold: undefined });
      expect(performance.now() - startedAt).toBeLessThan(20_000);
      expect(await ended).toEqual(signal === undefined ? [0, null] : [null, 'SIGKILL']);
      expect(audited.filter((line) => line.includes('helper-killed'))).toHaveLength(1); // of the first alone
      expect(await findHere(plan.job)).toEqual([]);
    }
  });

  test('ends a debugger of the job’s user that holds dead processes of a container', async () => {
    const patient = { ...context, engine: connectEngine({ socketPath: docker.socketPath }) };
    const plan = await openJobOfTwo();
    await occupyHost(plan);
    const pid = (await docker.docker('inspect', '--format', '{{.State.Pid}}', `hpcdj-${plan.job}-node-0`)).trim();
    await expect.poll(async () => await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).not.toBe('');
    const pids = [pid, ...(await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ')];
    // PTRACE_SEIZE, and no wait for anything.
    const seize = 'for (@ARGV) { syscall(101, 0x4206, int $_, 0, 0) == 0 or die $! } $| = 1; print "held"; sleep 100';
    const user = ['--reuid=2001', '--regid=2002', '--clear-groups'];
    const tracer = spawn('/usr/bin/setpriv', [...user, 'perl', '-e', seize, ...pids], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void tracer.kill('SIGKILL'));
    const ended = once(tracer, 'exit');
    await once(tracer.stdout, 'data');
    expect(await releaseNode(patient, plan.job)).toEqual({ wasHere: true, leftovers: [], untold: undefined });
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(audited.filter((line) => line.includes('tracer-killed'))).toHaveLength(1);
    expect(await findHere(plan.job)).toEqual([]);
  });

  test('ends processes of the job’s user that keep files of a removed container open, and no others', async () => {
    const plan = await openJobOfTwo();
    await occupyHost(plan);
    const pid = Number(await docker.docker('inspect', '--format', '{{.State.Pid}}', `hpcdj-${plan.job}-node-0`));
    await markRoot(plan.job, 0, pid, 2001);
    const file = `/proc/${pid}/root/bin/busybox`;
    const doomed = [await holdOpen(2001, file), await holdOpen(2001, file)];
    const others = [await holdOpen(2001, '/bin/sh'), await holdOpen(2005, file)];
    const ended = doomed.map(async (holder): Promise<unknown> => await once(holder, 'exit'));
    expect(await releaseNode(context, plan.job)).toEqual({ wasHere: true, leftovers: [], untold: undefined });
    expect(await Promise.all(ended)).toEqual([
      [null, 'SIGKILL'],
      [null, 'SIGKILL'],
    ]);
    expect(others.map(({ exitCode, signalCode }) => [exitCode, signalCode])).toEqual([
      [null, null],
      [null, null],
    ]);
    expect(audited.filter((line) => line.includes('holder-killed'))).toHaveLength(2);
    expect(await findHere(plan.job)).toEqual([]);
  });

  test('keeps the marks of a node until its container is gone: by them a later release finds who holds its files', async () => {
    const plan = await openJobOfTwo();
    await occupyHost(plan);
    const pid = Number(await docker.docker('inspect', '--format', '{{.State.Pid}}', `hpcdj-${plan.job}-node-0`));
    await markRoot(plan.job, 0, pid, 2001);
    await markCgroup(plan.job, 0, { path: '/x', schedulers: [] });
    const hold = async (): Promise<{ readonly ended: Promise<unknown[]> }> => ({
      ended: once(await holdOpen(2001, `/proc/${pid}/root/bin/busybox`), 'exit'),
    });
    const first = await hold();
    const { engine } = context;
    const stuck = {
      findContainers: async (wanted: Readonly<Record<string, string>>) => await engine.findContainers(wanted),
      removeContainer: async () => await Promise.reject(new Error('device or resource busy')),
    } as unknown as HelperContext['engine'];
    const { leftovers } = await releaseNode({ ...context, engine: stuck }, plan.job);
    expect(leftovers).toContainEqual(expect.stringContaining('device or resource busy'));
    // Such a process may be why: an engine gives up a directory that is never empty.
    expect(await first.ended).toEqual([null, 'SIGKILL']);
    expect(await listRootMarks(plan.job)).toHaveLength(1);
    expect(await listCgroupMarks(plan.job)).toEqual([{ path: '/x', schedulers: [] }]);
    const second = await hold();
    expect(await releaseNode(context, plan.job)).toEqual({ wasHere: true, leftovers: [], untold: undefined });
    expect(await second.ended).toEqual([null, 'SIGKILL']);
    expect(await findHere(plan.job)).toEqual([]);
  });

  test('keeps the trace of a helper that lives until its containers are gone', async () => {
    const plan = await openJobOfTwo();
    await createJobRunDirectory(plan.job, plan.schedulerJobId);
    const reader = await startHelper(plan.job, 'setInterval(() => undefined, 1000);');
    await forgetJobHere(plan.job);
    expect(await findHere(plan.job)).toEqual(['run directory']);
    const ended = once(reader, 'exit');
    reader.kill('SIGKILL');
    await ended;
    await forgetJobHere(plan.job);
    expect(await findHere(plan.job)).toEqual([]);
  });

  test('finds a job of which only the packet filter is left', async () => {
    const plan = await openJobOfTwo();
    await installJobTable(commands(), plan.job, '');
    expect(await findJobsHere(context, plan.schedulerJobId)).toEqual([plan.job]);
    await releaseNode(context, plan.job);
    expect(await findHere(plan.job)).toEqual([]);
  });

  test('leaves alone what others have started and labelled as the job’s, and does not count it', async () => {
    const plan = await openJobOfTwo();
    await occupyHost(plan);
    const marks = ['job', 'node', 'uid', 'runUntil'] as const;
    const [job, node, uid, runUntil] = marks.map((mark) => labels[mark]);
    const said = `LABEL ${job}=${plan.job} ${node}=1 ${uid}=2002 ${runUntil}=1`;
    const image = await docker.importBusybox('hpcdj/labelled:1', said);
    const start = async (...argv: readonly string[]): Promise<string> =>
      (await docker.docker('run', '--detach', '--network=none', ...argv, image, '/bin/sleep', '600')).trim();
    const foreign = [await start(), await start('--name', `hpcdj-${plan.job}-node-1`)];
    const network = await docker.docker('network', 'create', '--label', `${job}=${plan.job}`, 'of-somebody');
    const asOwner = { ...context, caller: { kind: 'user', uid: 2001 } } as const;

    live.add(plan.schedulerJobId);
    expect((await reapJobs(context)).released).toEqual([]); // an image's label says that its time is up
    live.clear();
    expect(await releaseNode(asOwner, plan.job)).toMatchObject({ wasHere: true, leftovers: [] });
    expect(await findHere(plan.job)).toEqual([]);
    expect(await releaseNode(context, plan.job)).toMatchObject({ wasHere: false, leftovers: [] });

    const running = await docker.docker('ps', '--quiet', '--no-trunc');
    expect(running.split('\n').sort()).toEqual([...foreign].sort());
    expect(await docker.docker('network', 'ls', '--quiet', '--no-trunc')).toContain(network.trim());
    await docker.docker('rm', '--force', ...foreign);
    await docker.docker('network', 'rm', 'of-somebody');
  });

  test('has nothing to do for a job without any trace here, though neither etcd nor dockerd answers', async () => {
    await etcd.kill();
    try {
      const blind = contextWith('/run/no-such-engine.sock');
      expect(await findJobsHere(blind, String(firstId + 999))).toEqual([]);
    } finally {
      await etcd.start();
    }
  });

  test('is the host’s fault when dockerd is away although the job was here', async () => {
    const plan = await openJobOfTwo();
    await createNodeRunDirectory(plan, plan.nodes[0]!);
    const blind = contextWith('/run/no-such-engine.sock');
    await expect(findJobsHere(blind, plan.schedulerJobId)).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' });
  });

  test('leaves the keys to the host that is not released yet', async () => {
    const plan = await openJobOfTwo();
    await setPhase(plan, 1, 'running');
    await releaseNode(context, plan.job);
    expect(await keysOf(plan.job)).toBeGreaterThan(0);
  });
});

describe('release-node of a user', () => {
  const asUser = (uid: number): HelperContext => ({ ...context, caller: { kind: 'user', uid } });

  test('takes away what is his', async () => {
    const plan = await openJobOfTwo();
    await occupyHost(plan);
    await releaseNode(asUser(plan.user.uid), plan.job);
    expect(await findHere(plan.job)).toEqual([]);
  });

  test('leaves alone what is another user’s', async () => {
    const plan = await openJobOfTwo();
    await occupyHost(plan);
    const before = await findHere(plan.job);
    const bob = asUser(plan.user.uid + 1);
    await expect(releaseNode(bob, plan.job)).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
    await expect(controlJob(bob, plan.job, 'stop')).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
    expect(await findHere(plan.job)).toEqual(before);
    await releaseNode(context, plan.job);
  });

  test('leaves alone a job that is being opened, of which nothing says yet whose it is', async () => {
    const plan = await openJobOfTwo();
    await store.commit({ deletes: [jobRange('', plan.job)] });
    await createNodeRunDirectory(plan, plan.nodes[0]!);
    await markKeptHere(plan.job);
    await installJobTable(commands(), plan.job, '');
    const before = await findHere(plan.job);
    const nothing = { wasHere: false, leftovers: [], untold: undefined };
    await expect(releaseNode(asUser(plan.user.uid + 1), plan.job)).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
    // Theirs, by the scheduler's word: not to be taken away all the same.
    owners = [plan.user.uid];
    expect(await releaseNode(asUser(plan.user.uid), plan.job)).toEqual(nothing);
    owners = [];
    expect(await findHere(plan.job)).toEqual(before);
    expect(await isKeptHere(plan.job)).toBe(true);
    await releaseNode(context, plan.job);
    expect(await findHere(plan.job)).toEqual([]);
  });

  test('is refused when nobody can say whose the job is', async () => {
    const plan = await openJobOfTwo();
    await createNodeRunDirectory(plan, plan.nodes[0]!);
    await etcd.kill();
    try {
      await expect(releaseNode(asUser(plan.user.uid), plan.job)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    } finally {
      await etcd.start();
    }
    expect(await findHere(plan.job)).toEqual(['run directory']);
  });
});

describe("the command's end on the way without a store", () => {
  const end = { by: 'command', exitStatus: 7 } as const;

  test('is taken once by the keeper, and not when an earlier run has left it', async () => {
    const plan = await openJobOfTwo();
    await createNodeRunDirectory(plan, plan.nodes[0]!);
    const over = new AbortController();
    const taken = takeEndHere(plan, over.signal);
    await leaveEndHere({ ...plan, token: 'e'.repeat(32) }, end);
    await expect.poll(async () => await isEndTaken(plan.job), { timeout: 5000 }).toBe(true);
    await leaveEndHere(plan, { ...end, exitStatus: 9 });
    expect(await taken).toEqual({ by: 'command', exitStatus: 9 });
    expect(await isEndTaken(plan.job)).toBe(true);
    over.abort();
  });
});

describe('the release of keys', () => {
  test('says whether every node has begun: only then the launcher has nothing left to start', async () => {
    const [whole, partly] = [await openJobOfTwo(), await openJobOfTwo()];
    const launcherEnded = AbortSignal.abort();
    await setPhase(whole, 0, 'released');
    await setPhase(whole, 1, 'released');
    await setPhase(partly, 0, 'released');
    expect(await releaseKeys(context, jobStoreIn(store, whole), whole, new AbortController().signal)).toEqual({
      leftovers: [],
      hosts: 'done',
      usage: [],
    });
    expect(await releaseKeys(context, jobStoreIn(store, partly), partly, launcherEnded)).toEqual({
      leftovers: [],
      hosts: 'unsure',
      usage: [],
    });
  });
});

describe('reap', () => {
  test('finishes what all epilogs had to leave during an outage', async () => {
    const plan = await openJobOfTwo({ finish: 'absent' });
    await setPhase(plan, 0, 'running');
    await setPhase(plan, 1, 'running');
    await occupyHost(plan);
    await etcd.kill();
    await releaseNode(context, plan.job).finally(async () => await etcd.start());
    // Elsewhere has not said anything yet: that is told, with its status, and not called released.
    const waits = `keys and subnet of job ${plan.job} stay until this is released: ${plan.job}-node-1 on host elsewhere`;
    const early = await reapJobs(context);
    expect(early).toMatchObject({ released: [], leftovers: [], notes: [] });
    expect(early.unfinished).toEqual([expect.stringContaining(waits)]);
    expect(await findHere(plan.job)).toEqual([]);
    expect(await keysOf(plan.job)).toBeGreaterThan(0);
    await setPhase(plan, 1, 'released');
    expect(await reapJobs(context)).toMatchObject({ released: [plan.job] });
    expect(await keysOf(plan.job)).toBe(0);
    expect(await reapJobs(context)).toEqual({ released: [], leftovers: [], notes: [], unfinished: [] });
  });

  test('needs one round on the host of a keeper that has died, though the others are released later', async () => {
    const plan = await openJobOfTwo({ finish: 'absent' });
    await setPhase(plan, 0, 'running');
    await setPhase(plan, 1, 'running');
    await occupyHost(plan);
    await markKeptHere(plan.job);
    expect((await reapJobs(context)).released).toEqual([]);
    expect(await findHere(plan.job)).toEqual([]);
    await setPhase(plan, 1, 'released');
    await reapJobs(context); // as the other host's would
    expect(await keysOf(plan.job)).toBe(0);
  });

  test('takes nothing of a job that is started again while it asks whether it is over', async () => {
    const plan = await openJobOfTwo({ finish: 'absent' });
    await setPhase(plan, 0, 'running');
    await occupyHost(plan);
    let start: Promise<void> | undefined;
    const restarting = {
      ...context,
      authorities: {
        ...context.authorities,
        isOver: async (...asked: Parameters<HelperContext['authorities']['isOver']>) => {
          const answer = await context.authorities.isOver(...asked);
          // It waited to be started again, and now is: the start finds that somebody is at work here.
          start = awaitReapers(plan.job).then(async () => await createJobRunDirectory(plan.job, plan.schedulerJobId));
          return answer;
        },
      },
    };
    await reapJobs(restarting);
    expect(start).toBeDefined();
    await start;
    expect(await findHere(plan.job)).toEqual(['run directory']); // that of the second run, whole
    await releaseNode(context, plan.job);
  });

  test('takes the keys of a job whose other node never began', async () => {
    const plan = await openJobOfTwo({ finish: 'absent' });
    await setPhase(plan, 0, 'released');
    await reapJobs(context);
    expect(await keysOf(plan.job)).toBe(0);
  });

  test('says for a host that was started anew that nothing is on it', async () => {
    const plan = await openJobOfTwo({ finish: 'absent' });
    await setPhase(plan, 0, 'running');
    await setPhase(plan, 1, 'released');
    await reapJobs(context);
    expect(await keysOf(plan.job)).toBe(0);
  });

  test.for([
    ['that somebody keeps', 'FALSE', false],
    ['that the scheduler knows as running, its lease lost', 'absent', true],
    ['that is ending', 'TRUE', true],
  ] as const)('leaves a job alone %s', async ([, finish, isLive]) => {
    const plan = await openJobOfTwo({ finish });
    await setPhase(plan, 0, 'running');
    await occupyHost(plan);
    if (isLive) live.add(plan.schedulerJobId);
    const keys = await keysOf(plan.job);
    expect(await reapJobs(context)).toMatchObject({ released: [], leftovers: [] });
    expect(await keysOf(plan.job)).toBe(keys);
    expect(await findHere(plan.job)).toContain('container');
    await context.engine.removeContainer((await context.engine.findContainers({ [labels.job]: plan.job }))[0]!.id);
    await releaseNode(context, plan.job);
  });

  test('cleans this host of a job that is over even when etcd is away, then says so', async () => {
    const plan = await openJobOfTwo();
    await occupyHost(plan);
    await etcd.kill();
    try {
      await expect(reapJobs(context)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
      expect(await findHere(plan.job)).toEqual(['run directory']);
    } finally {
      await etcd.start();
    }
  });

  test.for([
    [20, false],
    [5, true],
  ] as const)('treats a claim of %i minutes without a plan: stays = %s', async ([minutes, stays]) => {
    const job = requireJobKey(String(firstId + 500));
    const since = new Date(Date.now() - minutes * 60_000).toISOString();
    const value = JSON.stringify({ job, token: 'f'.repeat(32), since, index: 1 });
    await store.commit({ puts: [{ key: subnetKey('', '10.128.9.0/24'), value }] });
    expect((await reapJobs(context)).released).toEqual(stays ? [] : [job]);
    expect((await keysOf(job)) > 0).toBe(stays);
  });

  test('leaves a job alone whose plan another release has written, until root forces it', async () => {
    const job = requireJobKey(String(firstId + 501));
    const since = new Date(Date.now() - 20 * 60_000).toISOString();
    const value = JSON.stringify({ job, token: 'f'.repeat(32), since, index: 1 });
    await store.commit({
      puts: [
        { key: subnetKey('', '10.128.9.0/24'), value },
        { key: jobFieldKey('', job, 'PLAN'), value: '{"version":1}' },
        { key: jobFieldKey('', job, 'FINISH'), value: 'FALSE' },
      ],
    });
    expect(await reapJobs(context)).toEqual({
      released: [],
      leftovers: [],
      unfinished: [],
      notes: [expect.stringContaining(`The plan of job ${job} in the store was not written by this release`)],
    });
    expect(await keysOf(job)).toBeGreaterThan(0);
    await expect(releaseJob(context, job, { isForced: false })).rejects.toMatchObject({ code: 'PLAN_UNREADABLE' });
    expect(await releaseJob(context, job, { isForced: true })).toEqual({ wasThere: true, leftovers: [] });
    expect(await keysOf(job)).toBe(0);
  });

  test.for([
    ['a plan and its claim', ['PLAN', 'subnet']],
    ['its plan', ['PLAN']],
    ['its claim', ['subnet']],
    ['its plan, claim and FINISH', ['PLAN', 'subnet', 'FINISH']],
  ] as const)('takes every key of a job that lacks %s', async ([, missing]) => {
    for (const release of [
      async (): Promise<unknown> => await reapJobs(context),
      async (job: JobKey): Promise<unknown> => await releaseJob(context, job, { isForced: true }),
    ]) {
      const plan = await openJobOfTwo();
      await setPhase(plan, 0, 'released');
      await setPhase(plan, 1, 'released');
      // As old as one that no open-job is at work on.
      const claim = {
        job: plan.job,
        token: plan.token,
        since: new Date(Date.now() - 1_200_000).toISOString(),
        index: 1,
      };
      await store.commit({ puts: [{ key: subnetKey('', plan.network.cidr), value: JSON.stringify(claim) }] });
      const doomed = { PLAN: jobFieldKey('', plan.job, 'PLAN'), FINISH: jobFieldKey('', plan.job, 'FINISH') };
      for (const name of missing) {
        const key = name === 'subnet' ? subnetKey('', plan.network.cidr) : doomed[name];
        await store.commit({ deletes: [{ start: key, end: `${key}\0` }] });
      }
      expect(await keysOf(plan.job)).toBeGreaterThan(0);
      await release(plan.job);
      expect(await store.read({ start: '/', end: '0' })).toEqual([]);
    }
  });

  test('takes the keys of a job whose plan was changed', async () => {
    const plan = await openJobOfTwo();
    const changed = JSON.stringify({ ...plan, image: { ...plan.image, id: `sha256:${'c'.repeat(64)}` } }, undefined, 1);
    await store.commit({ puts: [{ key: jobFieldKey('', plan.job, 'PLAN'), value: changed }] });
    await setPhase(plan, 1, 'running');
    const deadlines = { ...context.site.deadlines, releaseSeconds: 3 }; // that long it waits for the other host
    const hurried = { ...context, site: { ...context.site, deadlines } };
    expect(await releaseJob(hurried, plan.job, { isForced: true })).toEqual({ wasThere: true, leftovers: [] });
    expect(await store.read({ start: '/', end: '0' })).toEqual([]);
  });

  test('names a job that is open under no lease although it is over', async () => {
    const plan = await openJobOfTwo({ finish: 'FALSE' });
    const { notes } = await reapJobs(context);
    expect(notes).toEqual([expect.stringContaining(`release-job ${plan.job}`)]);
    live.add(plan.schedulerJobId);
    expect((await reapJobs(context)).notes).toEqual([]);
  });

  test.for([
    ['ends a job that its keeper should have ended 100 s ago', -100, 0, true],
    ['ends one that was suspended, but not for as long', -100, 90, true],
    ['leaves one alone whose time was stretched by a suspension', -100, 130, false],
    ['leaves one alone that has time left', 100, 0, false],
  ] as const)('%s', async ([, secondsLeft, suspended, isEnded]) => {
    const plan = await openJobOfTwo({ finish: 'FALSE' });
    live.add(plan.schedulerJobId);
    await setPhase(plan, 0, 'running');
    await setPhase(plan, 1, 'running');
    await occupyHost(plan, String(Math.floor(Date.now() / 1000) + secondsLeft));
    suspendedSeconds = suspended;
    const { released, notes } = await reapJobs(context);
    expect(released).toEqual(isEnded ? [plan.job] : []);
    expect(notes).toEqual(isEnded ? [expect.stringContaining('for longer than its application may')] : []);
    // The other host ends its node by this.
    const [finish] = await store
      .read(jobRange('', plan.job))
      .then((all) => all.filter(({ key }) => key.includes('FINISH')));
    expect(finish?.value).toBe(isEnded ? 'TRUE' : 'FALSE');
    expect((await findHere(plan.job)).includes('container')).toBe(!isEnded);
    live.clear();
    await releaseNode(context, plan.job);
  });

  test('is for root alone', async () => {
    await expect(reapJobs({ ...context, caller: { kind: 'user', uid: 2001 } })).rejects.toMatchObject({
      code: 'NOT_PERMITTED',
    });
  });
});
