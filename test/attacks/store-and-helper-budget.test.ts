/** The attacker wants to use up what all users share: the store's room, and the hosts' memory by helpers that run as root. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import { etcdctl } from '../../lab/find-leftovers.ts';
import { productRoot } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { findLastingLeftovers, inMpi, startBatch, tryAs } from '../support/e2e-jobs.ts';
import { e2eLab, runBatch } from '../support/e2e-lab.ts';

const helper = `${productRoot}/bin/hpc-dockerjob-helper`;
const budgets = '/run/hpc-dockerjob-budget';
const inTwo = { sbatch: ['-N2', '-n2', '--nodelist=node1,node2'] };
const mebi = 1024 ** 2;

let lab: Lab;
beforeAll(async () => (lab = await e2eLab()));
// Alice's other tests must not pay for what she has spent here.
const forget = async (): Promise<void> => void (await mustRun(lab, 'node1', ['rm', '-rf', budgets]));
afterEach(forget);
afterAll(async () => expect(await findLastingLeftovers(lab)).toEqual([]));

async function sizeOfStore(): Promise<number> {
  const said = await mustRun(lab, 'node1', etcdctl(lab, 'endpoint', 'status', '--write-out=json'));
  return Number(/"dbSize":(\d+)/.exec(said)?.[1]);
}

/** A batch script that calls open-job by hand, again and again, until it is refused for good or `most` are through; says how each ended. */
function openAgainAndAgain(environmentBytes: number, filler: string, most: number): string {
  return `cat >open.py <<'PYTHON'
import json, os, subprocess, sys, time
hosts = subprocess.check_output(['scontrol', 'show', 'hostnames'], text=True).split()
request = {'protocol': 1, 'launchId': '0123456789abcdef', 'scheduler': 'slurm', 'schedulerJobId': os.environ['SLURM_JOB_ID'],
  'job': os.environ['SLURM_JOB_ID'], 'hosts': [{'name': name, 'slots': 1} for name in hosts], 'image': 'lab/mpi:1',
  'command': {'kind': 'argv', 'argv': ['true']}, 'workdir': '/scratch', 'mounts': [],
  'environment': {'V%d' % part: ${JSON.stringify(filler)} * ${Math.floor(environmentBytes / 8)} for part in range(8)}}
order = {'order': 'launcher-ended', 'status': 0, 'detail': ''}
for count in range(${most}):
    began = time.time()
    said = subprocess.run(['sudo', '-n', '${helper}', 'open-job'], input=json.dumps(request) + '\\n' + json.dumps(order) + '\\n', text=True, capture_output=True)
    code = [json.loads(line).get('code', '') for line in said.stdout.splitlines() if '"refused"' in line]
    print(said.returncode, code[0] if code else 'opened', round(time.time() - began, 2), flush=True)
    if said.returncode in (65, 75): break
PYTHON
python3 open.py`;
}

describe('filling the store', () => {
  it('is refused for its size: 960 kB of environment, as it once worked', async () => {
    const before = await sizeOfStore();
    const { stdout } = await runBatch(lab, openAgainAndAgain(960_000, 'x', 20), inTwo);
    expect(stdout).toMatch(/^65 REQUEST_INVALID /);
    expect((await sizeOfStore()) - before).toBeLessThan(mebi);
  });

  it('by the largest requests that are taken ends at a budget, and bob’s job does not notice', async () => {
    const before = await sizeOfStore();
    const startedAt = performance.now();
    // A character that takes six bytes in the plan's text.
    const alice = await startBatch(lab, openAgainAndAgain(60_000, '\u0001', 100), inTwo);
    const bob = await startBatch(lab, `${inMpi} mpirun hostname`, { user: 'bob', sbatch: ['-N2', '-n2'] });
    const { exitCode, stderr } = await bob.end(90_000);
    expect([exitCode, stderr]).toEqual(['0:0', expect.stringContaining('nothing is left behind')]);
    const { stdout } = await alice.end(150_000);
    const grown = (await sizeOfStore()) - before;
    const lines = stdout.trim().split('\n');
    const seconds = (performance.now() - startedAt) / 1000;
    console.log(`${lines.length} opens in ${seconds.toFixed(0)} s, the store grew by ${(grown / mebi).toFixed(1)} MiB`);
    expect(lines.at(-1)).toMatch(/^75 OVER_BUDGET /);
    expect(lines.length).toBeGreaterThan(20);
    expect(grown).toBeLessThan(40 * mebi);
    // The next call says so at once, to the user as well, and claims nothing.
    const again = await runBatch(lab, `${inMpi} true`, inTwo);
    expect(again.exitCode).toBe('0:0'); // another job of hers still has room
  });
});

describe('a store that is full', () => {
  const alarm = async (action: 'ACTIVATE' | 'DEACTIVATE'): Promise<void> => {
    const status = await mustRun(lab, 'node1', etcdctl(lab, 'endpoint', 'status', '--write-out=json'));
    const memberID = /"member_id":(\d+)/.exec(status)?.[1];
    const script = `
      const { readFileSync } = require('node:fs');
      const file = (name) => readFileSync('/etc/hpc-submit-dockerjob/tls/' + name + '.pem');
      const question = require('node:https').request(process.argv[1] + '/v3/maintenance/alarm',
        { method: 'POST', ca: file('ca'), cert: file('host'), key: file('host-key') },
        (answer) => answer.resume().on('end', () => process.exit(answer.statusCode === 200 ? 0 : 1)));
      question.end(process.argv[2]);`;
    const url = lab.layout.etcdMembers[0]!.clientUrl;
    const body = JSON.stringify({ action, memberID, alarm: 'NOSPACE' });
    // The Node that is installed there: this test's own may lie where the lab's hosts have directories of their own.
    const node = `${productRoot}/lib/node_modules/hpc-submit-dockerjob/node_modules/node-linux-*/bin/node`;
    await mustRun(lab, 'node1', ['sh', '-c', `exec ${node} -e "$@"`, 'alarm', script, url, body]);
  };
  afterEach(async () => await alarm('DEACTIVATE').catch(() => undefined));

  it('lets a running job of bob’s end with its status and leave nothing; new jobs are refused at once; doctor says what to do', async () => {
    const bob = await startBatch(
      lab,
      `${inMpi} sh -c 'echo running; while [ ! -e over ]; do sleep 0.2; done; exit 7'`,
      {
        user: 'bob',
        sbatch: ['-N2', '-n2', '--nodelist=node1,node2'],
      },
    );
    const touchOver = ['touch', `${bob.directory}/over`];
    // Also where this test fails: its job must not stay in the way of the others.
    await using _end = { [Symbol.asyncDispose]: async () => void (await mustRun(lab, 'node1', touchOver)) };
    await bob.shows('running', 'out');
    await alarm('ACTIVATE');
    const { exitCode: status, text } = await tryAs(lab, 'node1', 'root', 'hpc-submit-dockerjob', 'doctor', '--slurm');
    expect([status, text]).toEqual([69, expect.stringMatching(/fail +store .*NOSPACE.*alarm disarm.*\[STORE_FULL\]/)]);
    const refused = await runBatch(lab, `time -p ${inMpi} true`, { sbatch: ['-N2', '-n2', '--overcommit'] });
    expect([refused.exitCode, refused.stderr]).toEqual(['69:0', expect.stringContaining('[STORE_FULL]')]);
    await mustRun(lab, 'node1', touchOver);
    const ended = await bob.end(60_000);
    console.log(`bob's job ended ${ended.seconds.toFixed(1)} s after its command`);
    expect([ended.exitCode, ended.stderr]).toEqual(['7:0', expect.stringContaining('nothing is left behind')]);
    expect(ended.stderr).toContain('the key-value store is full');
    expect(ended.seconds).toBeLessThan(20);
    expect(await findLastingLeftovers(lab)).toEqual([]);
    await alarm('DEACTIVATE');
    expect((await runBatch(lab, `${inMpi} true`, inTwo)).exitCode).toBe('0:0');
  });
});

describe('a flood of helpers', () => {
  it('has six calls of check-host at work at once, and bob’s is served meanwhile', async () => {
    const flood = execOnHost(lab, 'node1', {
      user: 'alice',
      argv: [
        'bash',
        '-c',
        `for i in $(seq 20); do (sleep 12 | sudo -n ${helper} check-host >/dev/null 2>&1) & done; wait`,
      ],
    });
    const seen: { count: number; kiB: number }[] = [];
    const look = async (): Promise<void> => {
      const script = `pgrep -f 'helper.cjs check-host' | while read -r pid; do awk '/^Pss:/ { print $2 }' /proc/$pid/smaps_rollup 2>/dev/null; done`;
      const each = (await mustRun(lab, 'node1', ['sh', '-c', script])).split('\n').filter(Boolean).map(Number);
      seen.push({ count: each.length, kiB: each.reduce((sum, one) => sum + one, 0) });
    };
    for (let round = 0; round < 4; round += 1) {
      await look();
      await pause(400);
    }
    const startedAt = performance.now();
    const { exitCode } = await tryAs(
      lab,
      'node1',
      'bob',
      'sh',
      '-c',
      `sudo -n ${helper} check-host </dev/null >/dev/null`,
    );
    const seconds = (performance.now() - startedAt) / 1000;
    await look();
    await flood;
    const most = seen.reduce((a, b) => (b.kiB > a.kiB ? b : a));
    console.log(
      `at most ${most.count} helpers with ${(most.kiB / 1024).toFixed(0)} MiB; bob waited ${seconds.toFixed(1)} s`,
    );
    expect(exitCode).toBe(0);
    // A helper is seen twice while setsid and its child are both there; bob's own may be among them.
    expect(Math.max(...seen.map(({ count }) => count))).toBeLessThanOrEqual(2 * 7);
    expect(most.kiB).toBeLessThan(7 * 70 * 1024);
  });
});
