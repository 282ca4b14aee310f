/** Jobs whose containers are started by LSF's pre-execution, before their script: `lsf.start: prologue`. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { etcdctl } from '../../lab/find-leftovers.ts';
import { productRoot } from '../../lab/layout.ts';
import { kitDir, renderQueue } from '../../lab/lsf/lsf-files.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { startMissingServices, stopService } from '../../lab/start-services.ts';
import { inMpi } from '../support/e2e-jobs.ts';
import { containerStates, readScratchFile } from '../support/lab-job.ts';
import { untilAsked } from '../support/until.ts';
import { changeSite, quickSite } from '../support/e2e-site.ts';
import {
  configureLsf,
  control,
  endAllJobs,
  findLsfLeftovers,
  findLsfPrograms,
  lsfLab,
  onThreeHosts,
  postExec,
  submitCommand,
  submitScript,
} from '../support/lsf-lab.ts';
import type { BsubOptions, LsfJob } from '../support/lsf-lab.ts';

let lab: Lab;
const undo = new AsyncDisposableStack();
const hook = `${kitDir}/job-control`;
const queue = [
  `PRE_EXEC = ${kitDir}/pre-exec --start`,
  `JOB_STARTER = ${productRoot}/bin/hpc-submit-dockerjob starter`,
  `JOB_CONTROLS = SUSPEND[${hook} suspend] RESUME[${hook} resume]`,
  postExec,
];
const fullDisk = '/scratch/full-disk';
/** The starter of jobs whose output goes where nothing more fits. */
const starterText = `#!/bin/sh\nexec ${productRoot}/bin/hpc-submit-dockerjob starter "$@" >/dev/full\n`;

beforeAll(async () => {
  lab = await lsfLab('plain');
  const onFullDisk = queue.map((line) => (line.startsWith('JOB_STARTER') ? `JOB_STARTER = ${fullDisk}/starter` : line));
  await mustRun(lab, 'node1', ['install', '-d', fullDisk]);
  await mustRun(lab, 'node1', ['sh', '-c', 'cat >"$1" && chmod 755 "$1"', 'write', `${fullDisk}/starter`], starterText);
  undo.defer(async () => void (await mustRun(lab, 'node1', ['rm', '-r', fullDisk])));
  await configureLsf(lab, [
    renderQueue('normal', [postExec]),
    renderQueue('docker', queue),
    renderQueue('full', onFullDisk),
  ]);
  undo.use(
    await changeSite(lab, {
      ...quickSite,
      // Longer than etcd is away, however busy the machine is.
      etcd: { ...quickSite.etcd, leaseTtlSeconds: 20 },
      lsf: {
        start: 'prologue',
        queues: { docker: { image: 'lab/mpi:1' }, full: { image: 'lab/mpi:1' } },
        passEnvironment: ['GREETING'],
      },
    }),
  );
});
afterAll(async () => await undo.disposeAsync());
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') await endAllJobs(lab);
  expect(await findLsfLeftovers(lab, 25_000)).toEqual([]);
  for (const { name } of lab.nodes)
    expect((await mustRun(lab, name, ['sh', '-c', 'ls -d /tmp/hpc-dockerjob-* 2>/dev/null || true'])).trim()).toBe('');
});

const slots = { one: ['-n1'], three: onThreeHosts } as const;

async function submit(command: string, where: keyof typeof slots = 'three', more: BsubOptions = {}): Promise<LsfJob> {
  const bsub = ['-q', 'docker', ...slots[where], ...(more.bsub ?? [])];
  const { exitCode, text, job } = await submitCommand(lab, [command], { ...more, bsub });
  if (job === undefined) throw new Error(`bsub ended with ${exitCode}: ${text}`);
  return job;
}

/** A job whose own pre-execution, which follows the queue's, waits for the file `go`. */
async function submitWaiting(command: string, where: keyof typeof slots = 'three'): Promise<LsfJob> {
  return await submit(command, where, { bsub: ['-E', 'date +%s%3N > begun; until [ -e go ]; do sleep 0.1; done'] });
}

async function letGo({ directory }: LsfJob): Promise<void> {
  await mustRun(lab, 'node1', ['touch', `${directory}/go`]);
}

async function findHolders(): Promise<readonly { readonly name: string; readonly pid: string }[]> {
  const found = await Promise.all(
    lab.nodes.map(async ({ name }) =>
      (await findLsfPrograms(lab, name, 'middleware.cjs hold')).map((pid) => ({ name, pid })),
    ),
  );
  return found.flat();
}

/** The job's own pre-execution is what it waits for: the queue's is through. */
async function awaitHeld(): Promise<void> {
  await untilAsked('the pre-execution of the job', 30_000, async () => {
    const waiting = await Promise.all(
      lab.nodes.map(async ({ name }) => await findLsfPrograms(lab, name, 'until \\[ -e go')),
    );
    return waiting.flat().length > 0 || 'not there';
  });
}

async function listContainers(): Promise<readonly { readonly id: string; readonly startedAtMs: number }[]> {
  const script = 'for id in $(docker ps --quiet); do docker inspect --format "{{.Id}} {{.State.StartedAt}}" $id; done';
  return await Promise.all(
    lab.nodes.map(async ({ name }) => {
      const [id = '', startedAt = ''] = (await mustRun(lab, name, ['sh', '-c', script])).trim().split(' ');
      return { id, startedAtMs: Date.parse(startedAt) };
    }),
  );
}

describe('a job that is started by the prologue', () => {
  it('has its containers ready on every host before its script begins, and runs in these', async () => {
    const job = await submitWaiting(`sh -c 'mpirun hostname; sleep 3'`);
    await awaitHeld();
    const before = await listContainers();
    expect(before.filter(({ id }) => id !== '')).toHaveLength(3);
    const begunAtMs = Number(await readScratchFile(lab, `${job.directory}/begun`));
    for (const { startedAtMs } of before) expect(startedAtMs).toBeLessThan(begunAtMs);
    const keys = await mustRun(lab, 'node1', etcdctl(lab, 'get', '--prefix', `/${job.id}/`));
    expect(keys.match(/_node_\d\/READY\nTrue\n/g)).toHaveLength(3);
    expect(keys).not.toContain('/START\n');
    expect(await job.state()).toMatchObject({ stat: 'RUN' });
    await letGo(job);
    await untilAsked('the command', 20_000, async () => (await job.stdout()).includes('node-2') || 'nothing');
    expect(await listContainers()).toEqual(before);
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'DONE', exitCode: 0 });
    for (const index of [0, 1, 2]) expect(ended.stdout).toContain(`${job.id}-node-${index}`);
  });

  it('keeps its container on one host when the pre-execution that has started it ends', async () => {
    const job = await submitWaiting(`sh -c 'sleep 2; hostname'`, 'one');
    await awaitHeld();
    const before = await listContainers();
    // Helpers look once a second whether those who have started them are still there.
    await pause(2500);
    await letGo(job);
    await untilAsked('the command', 20_000, async () => (await job.state()).stat === 'RUN' || 'not running');
    await pause(1500);
    expect(await listContainers()).toEqual(before);
    expect(await job.end()).toMatchObject({ stat: 'DONE', exitCode: 0 });
  });

  it('begins although etcd is away for a moment when its script does', async () => {
    const job = await submitWaiting('hostname');
    await awaitHeld();
    await stopService(lab.hierarchies, lab.layout, lab.head, 'etcd1');
    try {
      await letGo(job);
      // Longer than a call to the store takes to fail, shorter than the job's lease.
      await pause(3500);
    } finally {
      await startMissingServices(lab.hierarchies, lab.layout, lab.head);
    }
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'DONE', exitCode: 0 });
    expect(ended.stdout).toContain(`${job.id}-node-0`);
  });

  it('gives its streams apart, its variables, and its status to LSF', async () => {
    const environment = { GREETING: 'hello  you', SECRET: 'x' };
    const job = await submit(`A=1 sh -c 'echo "$A<$GREETING><$SECRET>"; echo oops >&2; exit 9'`, 'one', {
      environment,
    });
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'EXIT', exitCode: 9 });
    expect(ended.stdout).toContain('1<hello  you><>');
    expect(ended.stderr).toMatch(/^oops$/m);
    expect(ended.stdout).not.toMatch(/^oops$/m);
  });

  it('runs a script from standard input', async () => {
    const script = 'cd /tmp\nfor i in 1 2; do echo "line $i in $(hostname)"; done\nexit 3';
    const job = await submitScript(lab, script, { bsub: ['-q', 'docker', '-n1'] });
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'EXIT', exitCode: 3 });
    expect(ended.stdout).toContain(`line 1 in ${job.id}-node-0\nline 2 in ${job.id}-node-0\n`);
  });

  it('delivers megabytes of output unchanged', async () => {
    const job = await submit(`sh -c 'head -c 3000000 /dev/zero | tr "\\\\0" x; echo; echo end'`, 'one');
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'DONE' });
    expect(ended.stdout).toContain(`${'x'.repeat(3_000_000)}\nend\n`);
  });

  it('has the status of its command although nobody takes its output', async () => {
    const job = await submit(`sh -c 'seq 1 300000; exit 5'`, 'one', { bsub: ['-q', 'full'] });
    expect(await job.end()).toMatchObject({ stat: 'EXIT', exitCode: 5 });
  });

  it('is stopped, goes on and is ended as any other', async () => {
    const job = await submit(`sh -c 'while :; do echo >>ticks; sleep 0.2; done'`);
    const ticks = async (): Promise<number> =>
      await readScratchFile(lab, `${job.directory}/ticks`).then(
        (text) => text.length,
        () => 0,
      );
    await untilAsked('ticks', 30_000, async () => (await ticks()) > 0 || (await job.stderr()) || 'none');
    await control(lab, 'bstop', job.id);
    await untilAsked('paused containers', 20_000, async () => {
      const states = await containerStates(lab);
      return states.every((state) => state === 'paused') || states.join(', ');
    });
    await control(lab, 'bresume', job.id);
    const before = await ticks();
    await untilAsked('more ticks', 20_000, async () => (await ticks()) > before || 'none');
    await control(lab, 'bkill', job.id);
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'EXIT', exitCode: 130 });
    expect(ended.stderr).toContain('[INTERRUPTED]');
  });
});

describe('of a job that the prologue has started nothing is left', () => {
  it('when its script is killed', async () => {
    const job = await submit(`sh -c 'echo running; sleep 120'`);
    await job.shows('running', 'out');
    await control(lab, 'bkill', '-s', 'KILL', job.id);
    expect(await job.end()).toMatchObject({ stat: 'EXIT' });
  });

  it('when it is ended while its containers start', async () => {
    const job = await submit('sleep 120');
    await untilAsked('a holder', 20_000, async () => (await findHolders()).length > 0 || 'none');
    await control(lab, 'bkill', job.id);
    await job.is('EXIT', 30_000);
  });

  it('when it is ended before its script', async () => {
    const job = await submitWaiting('true');
    await awaitHeld();
    await control(lab, 'bkill', job.id);
    await job.is('EXIT', 30_000);
  });

  it('when its script does not begin in time', async () => {
    await using _short = await changeSite(lab, {
      ...quickSite,
      deadlines: { ...quickSite.deadlines, scriptSeconds: 3 },
      lsf: { start: 'prologue', queues: { docker: { image: 'lab/mpi:1' } } },
    });
    const job = await submitWaiting('hostname', 'one');
    await awaitHeld();
    await untilAsked(
      'no container',
      30_000,
      async () => (await containerStates(lab)).every((state) => state === '') || 'still held',
    );
    // The script then starts anew by itself.
    await letGo(job);
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'DONE', exitCode: 0 });
    expect(ended.stdout).toContain(`${job.id}-node-0`);
  });

  it('when the process that holds it is killed, and its script says so', async () => {
    const job = await submit(`sh -c 'echo running; sleep 120'`);
    await job.shows('running', 'out');
    const holders = await findHolders();
    expect(holders).toHaveLength(1);
    for (const { name, pid } of holders) await mustRun(lab, name, ['kill', '-KILL', pid]);
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'EXIT', exitCode: 75 });
    expect(ended.stderr).toMatch(/has held the job since before its script has ended\. .*\[HELPER_LOST\]/);
  });
});

describe('the prologue', () => {
  it('sends a job back to the queue that cannot be started on one of its hosts, before its script', async () => {
    // LSF tries a job again on the same hosts: which these are, the first try tells.
    const job = await submit('hostname', 'three', { bsub: ['-E', 'echo $LSB_HOSTS > hosts; [ -e go ]'] });
    const readHosts = async (): Promise<string> =>
      await readScratchFile(lab, `${job.directory}/hosts`).then(String, () => '');
    await untilAsked('the first try', 30_000, async () => (await readHosts()) !== '' || 'none');
    const last = (await readHosts()).trim().split(' ').at(-1) ?? '';
    const rule = '/etc/sudoers.d/hpc-submit-dockerjob';
    await mustRun(lab, last, ['mv', rule, '/root/rule']);
    try {
      await untilAsked('the queue to have it back', 60_000, async () => {
        const text = await mustRun(lab, 'node1', ['bjobs', '-l', job.id]);
        return /The\s+queue's\s+pre-exec\s+command\s+exited/.test(text) || text;
      });
      expect(await findHolders()).toEqual([]);
    } finally {
      await mustRun(lab, last, ['mv', '/root/rule', rule]);
    }
    await letGo(job);
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'DONE', exitCode: 0 });
    expect(ended.stdout).toContain(`${job.id}-node-0`);
  });

  it('begins anew when a later pre-execution has failed', async () => {
    const job = await submit('hostname', 'three', { bsub: ['-E', '[ -e second ] || { touch second; exit 1; }'] });
    const ended = await job.end(90_000);
    expect(ended).toMatchObject({ stat: 'DONE', exitCode: 0 });
    expect(ended.stdout).toContain(`${job.id}-node-0`);
  });

  it('gives way to a script that names its own image', async () => {
    const job = await submitScript(lab, `${inMpi} hostname`, { bsub: ['-q', 'docker', '-n1'] });
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'DONE', exitCode: 0 });
    expect(ended.stderr).toContain('nothing is left behind');
    expect(ended.stdout).toContain(`${job.id}-node-0`);
  });

  it('does not trust a directory of another user, and lets the script start its containers', async () => {
    const squatted = '/tmp/hpc-dockerjob-2001';
    for (const { name } of lab.nodes)
      await mustRun(lab, name, ['sh', '-c', `[ -e ${squatted} ] || install -d -o bob -g bob -m 700 ${squatted}`]);
    try {
      const job = await submit('hostname', 'one');
      const ended = await job.end();
      expect(ended).toMatchObject({ stat: 'DONE', exitCode: 0 });
      expect(ended.stdout).toContain(`${job.id}-node-0`);
    } finally {
      for (const { name } of lab.nodes) await mustRun(lab, name, ['rm', '-rf', squatted]);
    }
  });
});
