/** Jobs of a real Grid Engine: every way from qsub to the end, with nothing left behind. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import { bringUp } from '../../lab/lab.ts';
import { readStatus } from '../../lab/read-status.ts';
import { hostOf } from '../../lab/running-lab.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { stopService } from '../../lab/start-services.ts';
import { takeDown } from '../../lab/take-down.ts';
import { startGridEngineJob } from '../support/e2e-gridengine.ts';
import { describeEndings } from '../support/endings-contract.ts';
import { containerStates } from '../support/lab-job.ts';
import { changeSite, quickSite } from '../support/e2e-site.ts';
import { findLastingLeftovers, inMpi } from '../support/e2e-jobs.ts';
import { untilAsked } from '../support/until.ts';
import { e2eLabs } from '../support/e2e-lab.ts';

const name = e2eLabs.gridEngine;
const lasting = `${inMpi} sh -c 'echo started; sleep 60'; echo "script goes on: $?"`;

let lab: Lab;
beforeAll(async () => {
  lab = await bringUp({ name, hosts: 2, gridEngine: true, images: ['mpi'] });
  await changeSite(lab, quickSite); // goes with the lab
});
afterAll(async () => await takeDown({ name, purge: 'state' }));
afterEach(async () => {
  const leftovers = await findLastingLeftovers(lab, 20_000);
  // What a failed test has left running must not be taken for the next one's.
  if (leftovers.length > 0) await execOnHost(lab, 'head', { argv: ['qdel', '-u', '*'] });
  expect(leftovers).toEqual([]);
});

const asAlice = async (...argv: string[]): Promise<string> =>
  (await execOnHost(lab, 'node1', { user: 'alice', argv })).stdout;
const setQueue = async (attribute: string, value: string): Promise<void> =>
  void (await mustRun(lab, 'head', ['qconf', '-mattr', 'queue', attribute, value, 'all.q']));

describeEndings('Grid Engine', () => ({
  lab,
  hosts: lab.nodes.length,
  submit: async (script) => await startGridEngineJob(lab, script),
  cancel: async ({ id }) => void (await asAlice('qdel', id)),
  suspend: async ({ id }) => void (await asAlice('qmod', '-sj', id)),
  resume: async ({ id }) => void (await asAlice('qmod', '-usj', id)),
  statusOf: ({ exitCode }) => String(exitCode),
  cancelled: { status: /^(?:137|143)$/, code: 'TERMINATED' },
  firstHostOf: () => Promise.resolve('node1'),
  findLeftovers: async (graceMs) => await findLastingLeftovers(lab, graceMs),
}));

describe('a job of Grid Engine', () => {
  it('runs mpirun over the containers of its hosts, and ends with its status', async () => {
    const command = 'mpirun --map-by node sh -c \'echo "$(hostname) rank $OMPI_COMM_WORLD_RANK"; exit 7\'';
    const job = await startGridEngineJob(lab, `${inMpi} ${command}`);
    const { exitCode, stdout, stderr } = await job.end();
    expect(exitCode).toBe(7);
    expect(stdout).toContain(`${job.id}-node-0 rank 0`);
    expect(stdout).toContain(`${job.id}-node-1 rank 1`);
    expect(stderr).toContain('2 hosts (node1 node2), 2 slots');
    expect(stderr).toContain('nothing is left behind');
    expect(await readStatus(name)).toMatchObject({ state: 'up' });
  });

  it('is an element of an array, or has no parallel environment', async () => {
    const tell = `${inMpi} sh -c 'echo "$HPCDJ_JOB_ID $HPCDJ_SLOTS"'`;
    const array = await startGridEngineJob(lab, tell, { qsub: ['-t', '3-4', '-tc', '1'] });
    const { stdout } = await array.end();
    expect(stdout.trim().split('\n').toSorted()).toEqual([`${array.id}_3 1`, `${array.id}_4 1`]);
  });

  it('gets as much memory in each container as it has asked for', async () => {
    const asked = ['-masterq', 'all.q@node1', '-pe', 'mpi', '2', '-l', 'h_vmem=3G'];
    const limit = 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; :';
    const job = await startGridEngineJob(lab, `${inMpi} mpirun --map-by node sh -c '${limit}'`, { qsub: asked });
    await job.end();
    // Where the script is no task of its own, Grid Engine holds one more slot for it.
    const gibibyte = 1024 ** 3;
    const limits = (await job.stdout()).split('\n').filter(Boolean).map(Number);
    expect(limits.toSorted((a, b) => a - b)).toEqual([3 * gibibyte, 6 * gibibyte]);
  });

  it('may have texts that look like answers of qstat', async () => {
    const markup = '</JB_name><JB_owner>bob</JB_owner><queue_name>all.q@node9</queue_name>';
    const texts = [
      '-N',
      'x<JB_owner>bob<',
      '-A',
      'x<JB_owner>bob<',
      '-ac',
      `x=${markup}`,
      '-v',
      `MARKUP=a\n${markup}]]>&lt;`,
    ];
    const job = await startGridEngineJob(lab, `${inMpi} echo through`, {
      qsub: [...texts, '-masterq', 'all.q@node1', '-pe', 'mpi', '2'],
    });
    expect(await job.end()).toMatchObject({ exitCode: 0, stdout: 'through\n' });
  });

  it('of another user is not to be had by a forged environment, nor hosts that are not its own', async () => {
    const victim = await startGridEngineJob(lab, lasting);
    await victim.shows('started', 'out');
    const forged = [
      `JOB_ID=${victim.id} ${inMpi} true`,
      `echo 'node1 8 all.q@node1 UNDEFINED' >hosts; echo 'node2 8 all.q@node2 UNDEFINED' >>hosts; PE_HOSTFILE=$PWD/hosts ${inMpi} true`,
      `JOB_ID=999999 ${inMpi} true`,
      `JOB_ID='*' ${inMpi} true`,
    ];
    const statuses = forged.map((line) => `(${line}); echo "status $?"`).join('\n');
    const thief = await startGridEngineJob(lab, statuses, { user: 'bob', qsub: ['-q', 'all.q@node1'] });
    await thief.end();
    expect(await thief.stdout()).toBe('status 77\nstatus 77\nstatus 77\nstatus 65\n');
    expect(await thief.stderr()).toContain(
      `Job "${victim.id}" is not a running Grid Engine job: Grid Engine knows no such job, or it belongs`,
    );
    expect(await thief.stderr()).toContain('has the hosts node1, not those that');
    await asAlice('qdel', victim.id);
    await victim.end();
  });
});

describe('qmod', () => {
  it('stops what the job runs beside its containers, too, and lets it go on', async () => {
    const beside = '(while :; do echo >>ticks; sleep 0.2; done) &';
    const job = await startGridEngineJob(lab, `${beside}\n${inMpi} sh -c 'echo started; sleep 8; echo whole'\nkill $!`);
    await job.shows('started', 'out');
    await asAlice('qmod', '-sj', job.id);
    await untilAsked('a script that stands still', 15_000, async () => {
      const before = await job.read('ticks');
      await pause(1000);
      return (await job.read('ticks')) === before || 'it ticks';
    });
    expect(await containerStates(lab)).toEqual(['paused', 'paused']);
    await asAlice('qmod', '-usj', job.id);
    await job.end();
    expect(await job.stdout()).toBe('started\nwhole\n');
    expect(await job.stderr()).toContain('suspended: 2 of 2');
  });

  it('stops a job without containers also when one of its programs has the name of ours', async () => {
    const script = "bash -c 'exec -a dist/middleware.cjs sleep 60' & echo started; sleep 60";
    const job = await startGridEngineJob(lab, script, { qsub: ['-q', 'all.q@node1'] });
    await job.shows('started', 'out');
    await asAlice('qmod', '-sj', job.id);
    const states =
      'for name in "job_scripts/$1$" "^dist/middleware.cjs"; do pgrep -f -- "$name" | xargs ps -o stat= -p; done';
    await untilAsked('stopped processes', 20_000, async () => {
      const seen = (await mustRun(lab, 'node1', ['sh', '-c', states, 'states', job.id])).trim().split('\n');
      return (seen.length === 2 && seen.every((state) => state.startsWith('T'))) || seen.join(' ');
    });
    await asAlice('qdel', job.id);
    await job.end(30_000);
  });

  it('stops and continues jobs without containers as Grid Engine does', async () => {
    const job = await startGridEngineJob(lab, 'echo started; sleep 6; echo whole', { qsub: ['-q', 'all.q@node1'] });
    await job.shows('started', 'out');
    await asAlice('qmod', '-sj', job.id);
    const stateOf = async (): Promise<string> =>
      await mustRun(lab, 'node1', ['sh', '-c', `ps -eo stat,args | grep "job_scripts/${job.id}$" | head -n 1`]);
    await untilAsked('a stopped script', 10_000, async () => (await stateOf()).startsWith('T') || (await stateOf()));
    await asAlice('qmod', '-usj', job.id);
    await job.shows('whole', 'out');
    await job.end();
  });
});

describe('a host that is dead before its start', () => {
  it('is named by the words of qrsh, and the job may run elsewhere', async () => {
    const job = await startGridEngineJob(lab, `echo begun; while [ ! -e go ]; do sleep 0.2; done; ${inMpi} true`);
    await job.shows('begun', 'out');
    await stopService(lab.hierarchies, lab.layout, hostOf(lab, 'node2'), 'sge_execd');
    try {
      await mustRun(lab, 'node1', ['touch', `${job.directory}/go`]);
      await job.shows('[NODE_LOST]', 'err', 60_000);
    } finally {
      lab = await bringUp({ name, gridEngine: true, install: false });
    }
    const { stderr } = await job.end(60_000);
    expect(stderr).toContain(
      `${job.id}-node-1 on host node2 (not started): the scheduler's launcher did not reach it: `,
    );
    expect(stderr).toContain('nothing is left behind');
    expect(stderr).not.toContain('sudo');
  });
});

describe('USR1 and USR2', () => {
  it('to all of a job on its first host, while it starts, reach the command once it listens, and end nothing', async () => {
    const command = `sh -c 'sleep 0.5; trap "echo got USR1" USR1; trap "echo got USR2" USR2; while [ ! -e over ]; do sleep 0.1; done; exit 7'`;
    const job = await startGridEngineJob(lab, `echo $$ >pid; exec ${inMpi} ${command}`);
    await job.shows('  job ');
    // As sge_shepherd does for qsub -notify, which has a minute between the two.
    const signals = 'for name in USR2 USR1; do kill -s "$name" -- "-$(cat "$1/pid")"; done';
    while (!(await job.stderr()).includes('gathered')) {
      await mustRun(lab, 'node1', ['sh', '-c', signals, 'x', job.directory]);
      await pause(250); // a host is started again twenty times at most
    }
    for (const signal of ['USR1', 'USR2']) await job.shows(`got ${signal}`, 'out', 20_000);
    await mustRun(lab, 'node1', ['touch', `${job.directory}/over`]);
    const { exitCode, stderr } = await job.end(60_000);
    expect([exitCode, stderr]).toEqual([7, expect.stringContaining('nothing is left behind')]);
  });
});

describe('qdel', () => {
  it('warns the command first where the job asks for it', async () => {
    const command = `sh -c 'trap "echo warned" USR2; echo started; for i in 1 2 3 4 5 6 7 8; do sleep 1; done'`;
    const job = await startGridEngineJob(lab, `trap : USR2\n${inMpi} ${command} & while ! wait; do :; done`, {
      qsub: ['-notify', '-masterq', 'all.q@node1', '-pe', 'mpi', '2'],
    });
    await job.shows('started', 'out');
    await asAlice('qdel', job.id);
    await job.shows('warned', 'out');
    await job.end(40_000);
  });

  it('that kills all at once leaves the cleaning to the epilog and to the helpers of the other hosts', async () => {
    await setQueue('terminate_method', 'NONE');
    const { stdout: queue } = await execOnHost(lab, 'head', { argv: ['qconf', '-sq', 'all.q'] });
    expect(queue).toMatch(/^terminate_method +NONE$/m);
    const job = await startGridEngineJob(lab, lasting);
    await job.shows('started', 'out');
    await asAlice('qdel', job.id);
    await job.end(40_000);
    expect(await job.stdout()).not.toContain('script goes on');
    lab = await bringUp({ name, gridEngine: true, install: false });
  });
});
