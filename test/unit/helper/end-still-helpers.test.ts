/** With real processes: what is signalled, and what never is. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { isMarked, listHelperMarks, markHelper, parseHelperMark } from '../../../src/helper/host/helper-marks.ts';
import type { HelperMark } from '../../../src/helper/host/helper-marks.ts';
import { readProcess, parseStat } from '../../../src/helper/host/read-process.ts';
import type { ProcessFacts } from '../../../src/helper/host/read-process.ts';
import { endStillHelpers, standsStill } from '../../../src/helper/release/end-still-helpers.ts';
import { requireJobKey } from '../../../src/contract/job-key.ts';
import { keepAudit } from '../../support/fake-audit.ts';

const job = requireJobKey('772');
const patience = { askAfterMs: 100, settleMs: 200, stillMs: 700 };

let directory: string;
let audited: string[];
beforeEach(async () => {
  audited = [];
  directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-test-'));
});
afterEach(async () => await rm(directory, { recursive: true }));

/** Looks around, as a run-node does. What it says of a TERM is its answer. */
const loop = `process.on('SIGTERM', () => console.log('asked')); setInterval(() => undefined, 50); console.log('runs');`;

interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly said: () => string;
  readonly mark: HelperMark;
}

/** A process that looks like a run-node of that job, with the mark that it would leave. */
async function startMarked(ofJob = '772', script = loop): Promise<Started> {
  const child = spawn(process.execPath, ['--eval', script, '--', 'run-node', ofJob, 'abc'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  await once(child.stdout, 'data');
  const facts = await readProcess(child.pid ?? 0);
  if (facts === undefined) throw new Error('The child has ended.');
  const name = `helper-${facts.pid}-${facts.startTicks}-${facts.executableInode}`;
  await writeFile(path.join(directory, name), '');
  return { child, pid: facts.pid, said: () => said, mark: { name, ...facts } };
}

async function stop({ child, pid }: Started): Promise<void> {
  child.kill('SIGSTOP');
  while ((await readProcess(pid))?.state !== 'T') await pause(10);
}

const end = async (removed = new AbortController().signal): Promise<void> =>
  await endStillHelpers({ audit: keepAudit(audited) }, job, {
    marks: await listHelperMarks(directory),
    removed,
    patience,
  });

describe('a helper of a job whose container does not go away', () => {
  it('is killed when it is stopped, and the audit says so', async () => {
    const helper = await startMarked();
    await stop(helper);
    const ended = once(helper.child, 'exit');
    await end();
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(audited.map((line): unknown => JSON.parse(line))).toEqual([
      expect.objectContaining({ event: 'helper-killed', uid: 0, job, killedPid: helper.pid, state: 'T', stillMs: 700 }),
    ]);
  });

  it('is asked and never killed while it works', async () => {
    const helper = await startMarked();
    await end();
    expect(helper.said()).toBe('runs\nasked\n');
    expect(helper.child.exitCode ?? helper.child.signalCode).toBeNull();
    expect(audited).toEqual([]);
  });

  it('is never killed when it computes without a pause', async () => {
    const busy = `console.log('runs'); process.on('SIGTERM', () => undefined); setTimeout(() => { for (;;); }, 50);`;
    const helper = await startMarked('772', busy);
    await end();
    expect(helper.child.exitCode ?? helper.child.signalCode).toBeNull();
    expect(audited).toEqual([]);
  });

  it('is looked at anew when the one who looks has been stopped in between', async () => {
    const helper = await startMarked();
    await stop(helper);
    const { askAfterMs, settleMs, stillMs } = patience;
    const stopped = setTimeout(
      () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, stillMs + settleMs),
      askAfterMs + settleMs + 100,
    );
    onTestFinished(() => clearTimeout(stopped));
    const startedAt = performance.now();
    await end();
    expect(performance.now() - startedAt).toBeGreaterThan(askAfterMs + 2 * settleMs + 2 * stillMs);
    expect(audited).toHaveLength(1);
  });

  it('is left alone when it goes on after having been stopped', async () => {
    const helper = await startMarked();
    await stop(helper);
    const ending = end();
    await pause(patience.askAfterMs + patience.settleMs + 300);
    helper.child.kill('SIGCONT');
    await ending;
    expect(helper.said()).toBe('runs\nasked\n');
    expect(audited).toEqual([]);
  });

  it('is not even asked when the container goes in time, nor killed when it goes meanwhile', async () => {
    const helper = await startMarked();
    await stop(helper);
    await end(AbortSignal.abort());
    await end(AbortSignal.timeout(patience.askAfterMs + patience.settleMs + 300));
    expect((await readProcess(helper.pid))?.state).toBe('T');
    helper.child.kill('SIGCONT');
    await pause(200);
    expect(helper.said()).toBe('runs\nasked\n'); // by the second call alone
    expect(audited).toEqual([]);
  });

  it('is not the run-node of another job, whatever the marks say', async () => {
    const strangers = await Promise.all(['773', '772_1', '77', ''].map(async (other) => await startMarked(other)));
    await Promise.all(strangers.map(stop));
    await end();
    for (const { pid, child } of strangers) {
      expect((await readProcess(pid))?.state).toBe('T');
      child.kill('SIGCONT');
    }
    await pause(200);
    expect(strangers.map(({ said }) => said())).toEqual(strangers.map(() => 'runs\n'));
  });

  it('is not a process that has got its pid later', async () => {
    const helper = await startMarked();
    await stop(helper);
    await rm(path.join(directory, helper.mark.name));
    const earlier = String(Number(helper.mark.startTicks) - 1);
    await writeFile(path.join(directory, `helper-${helper.pid}-${earlier}-${helper.mark.executableInode}`), '');
    await end();
    expect((await readProcess(helper.pid))?.state).toBe('T');
    expect(audited).toEqual([]);
  });

  it('is never the process that releases', async () => {
    await markHelper(directory);
    expect(await readdir(directory)).toHaveLength(1);
    await end(); // SIGTERM would end the tests
    expect(audited).toEqual([]);
  });
});

describe('a mark', () => {
  it.each(['helper-', 'helper-1-2', 'helper-1-2-3', 'helper--1-2-3.4', 'helper-1-2-3.4x', 'keeper-1', 'node-0'])(
    'is not made of "%s"',
    async (name) => {
      expect(parseHelperMark(name)).toBeUndefined();
      await writeFile(path.join(directory, name), '');
      expect(await listHelperMarks(directory)).toEqual([]);
    },
  );
});

const uid = String(process.geteuid?.());
const facts: ProcessFacts = {
  pid: 861,
  startTicks: '1000',
  executableInode: '8.15',
  uids: [uid, uid, uid, uid],
  argv: ['node', '--flag', '/opt/x/dist/helper.cjs', 'run-node', '772', 'abc'],
  state: 'T',
  pulse: '10 5 100 3',
};
const mark: HelperMark = { name: 'helper-861-1000-8.15', pid: 861, startTicks: '1000', executableInode: '8.15' };

describe('the marked process', () => {
  it('is the one that agrees in everything', () => {
    expect(isMarked(job, mark, facts)).toBe(true);
  });

  it.each<[string, Partial<ProcessFacts>]>([
    ['another pid', { pid: 862 }],
    ['another beginning', { startTicks: '1001' }],
    ['another file', { executableInode: '8.16' }],
    ['another real user', { uids: ['4711', uid, uid, uid] }],
    ['another effective user', { uids: [uid, '4711', uid, uid] }],
    ['no users', { uids: [] }],
    ['another job', { argv: ['node', 'helper.cjs', 'run-node', '7721', 'abc'] }],
    ['another verb', { argv: ['node', 'helper.cjs', 'open-job', '772'] }],
    ['no arguments', { argv: [] }],
  ])('is not one with %s', (_, change) => {
    expect(isMarked(job, mark, { ...facts, ...change })).toBe(false);
  });

  it('stands still only when it was seen twice and did nothing in between', () => {
    expect(standsStill(facts, { ...facts })).toBe(true);
    expect(standsStill(facts, { ...facts, pulse: '10 5 101 3' })).toBe(false);
    expect(standsStill(facts, undefined)).toBe(false);
    expect(standsStill(undefined, facts)).toBe(false);
  });
});

describe('/proc/PID', () => {
  it('of a process that has ended, of which nobody has taken note yet, is of none', async () => {
    // The shell becomes `sleep`, which never asks how its children ended; a shell might, of one that ends before that.
    const parent = spawn('/bin/sh', ['-c', 'sleep 0.5 & echo $!; exec sleep 30'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void parent.kill('SIGKILL'));
    const [text] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string];
    const pid = Number(text);
    while (!/^State:\tZ/m.test(await readFile(`/proc/${pid}/status`, 'utf8'))) await pause(20);
    expect(await readProcess(pid)).toBeUndefined();
    // It may still be on its way to sleep.
    const sleeping = { pid: parent.pid, argv: ['sleep', '30'], state: 'S' };
    await expect.poll(async () => await readProcess(parent.pid ?? 0)).toMatchObject(sleeping);
  });

  it('has its facts behind the last bracket of the name, which may hold anything', () => {
    const rest = `T 1 2 3 0 -1 4194560 100 0 0 0 77 33 0 0 20 0 11 0 3687567 1000 100`;
    const status = 'Name:\tx\nUid:\t0\t0\t0\t0\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t2\n';
    for (const name of ['(node)', '(a) R 1 (b)', '(x\n) S 9)'])
      expect(parseStat(`861 ${name} ${rest}`, status)).toEqual({
        pid: 861,
        startTicks: '3687567',
        uids: ['0', '0', '0', '0'],
        state: 'T',
        pulse: '77 33 150 2',
      });
  });
});
