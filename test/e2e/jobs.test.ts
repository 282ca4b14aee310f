/** `jobs` and `inspect`: who sees which jobs from where, while they run, stand still and are over. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobRecord } from '../../src/contract/job-record.ts';
import type { InspectedJob, ShownJob } from '../../src/contract/shown-job.ts';
import { mustRun } from '../../lab/batch-jobs.ts';
import { productRoot } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import type { BatchJob } from '../support/e2e-jobs.ts';
import { cancelJob, findLastingLeftovers, inMpi, startBatch, tryAs } from '../support/e2e-jobs.ts';
import { e2eLab } from '../support/e2e-lab.ts';
import { untilAsked } from '../support/until.ts';

const waiting = "sh -c 'echo up; while [ ! -e over ]; do sleep 0.3; done; exit 3'";
const secret = 'secret-word-of-alice';

let lab: Lab;
let wide: BatchJob;
let narrow: BatchJob;

beforeAll(async () => {
  lab = await e2eLab();
  const call = inMpi.replace('--image', `--env WORD=${secret} --image`);
  [wide, narrow] = await Promise.all([
    startBatch(lab, `${call} ${waiting}`, { sbatch: ['-N2', '-n2', '--nodelist=node1,node2'] }),
    startBatch(lab, `${call} ${waiting}`, { sbatch: ['-N1', '-n1', '--nodelist=node2'] }),
  ]);
  await wide.shows('up', 'out');
  await narrow.shows('up', 'out');
});

afterAll(async () => {
  for (const job of [wide, narrow]) await cancelJob(lab, job.id).catch(() => undefined);
  for (const job of [wide, narrow]) await job.end();
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

async function ask(host: string, user: string, words: string): Promise<{ exitCode: number | undefined; text: string }> {
  return await tryAs(lab, host, user, 'timeout', '60', 'bash', '-c', `cd / && hpc-submit-dockerjob ${words}`);
}

async function list(host: string, user: string, words = ''): Promise<unknown[]> {
  const { exitCode, text } = await ask(host, user, `jobs --json ${words}`);
  expect([exitCode, text]).toEqual([0, expect.stringMatching(/^\{/)]);
  expect(text).not.toContain(secret);
  const { jobs } = JSON.parse(text) as { readonly jobs: readonly ShownJob[] };
  return jobs.filter(({ job }) => [wide.id, narrow.id].includes(job)).map(({ job, phase }) => [job, phase]);
}

async function inspect(host: string, user: string, id: string): Promise<{ job?: InspectedJob; record?: JobRecord }> {
  const { exitCode, text } = await ask(host, user, `inspect --json ${id}`);
  expect([exitCode, text]).toEqual([0, expect.stringMatching(/^\{/)]);
  expect(text).not.toContain(secret);
  return JSON.parse(text) as { job?: InspectedJob; record?: JobRecord };
}

it('a list has the user’s own jobs: of several hosts everywhere, of one host on that host', async () => {
  const both = [
    [wide.id, 'running'],
    [narrow.id, 'running'],
  ].toSorted();
  expect((await list('node2', 'alice')).toSorted()).toEqual(both);
  expect(await list('node3', 'alice')).toEqual([[wide.id, 'running']]);
  expect((await list('node2', 'root')).toSorted()).toEqual(both);
  expect(await list('node2', 'bob')).toEqual([]);
  expect(await list('node2', 'root', '--host node1')).toEqual([[wide.id, 'running']]);
});

it('all of a job is told to its owner and to root, from any host, and to nobody else', async () => {
  for (const user of ['alice', 'root']) {
    const { job } = await inspect('node3', user, wide.id);
    expect(job).toMatchObject({ phase: 'running', user: 'alice', hosts: ['node1', 'node2'], network: 'vxlan' });
    expect(job?.nodes.map(({ phase }) => phase)).toEqual(['running', 'running']);
    expect(job?.waitsFor).toEqual(['Its command runs on node 0 (node1).']);
  }
  expect(await inspect('node1', 'alice', narrow.id)).toMatchObject({ job: { phase: 'running', hosts: ['node2'] } });
  const told = await Promise.all([wide.id, '999999'].map(async (id) => await ask('node2', 'bob', `inspect ${id}`)));
  for (const { exitCode, text } of told) {
    expect(exitCode).toBe(77);
    expect(text).toMatch(/Job \d+ belongs to another user, or nothing is known of it here\./);
  }
});

it('a suspended job shows as one, although its keeper stands still with it', async () => {
  await mustRun(lab, 'node1', ['scontrol', 'suspend', narrow.id]);
  await narrow.shows('suspended: 1 of 1');
  expect(await list('node2', 'alice', '--phase suspended')).toEqual([[narrow.id, 'suspended']]);
  expect((await inspect('node2', 'alice', narrow.id)).job?.phase).toBe('suspended');
  await mustRun(lab, 'node1', ['scontrol', 'resume', narrow.id]);
});

it('a job that is over is known by its record, where it was opened', async () => {
  await tryAs(lab, 'node1', 'alice', 'touch', `${wide.directory}/over`);
  await cancelJob(lab, narrow.id);
  expect(await wide.end()).toMatchObject({ exitCode: '3:0' });
  await narrow.end();
  const { record } = await inspect('node1', 'alice', wide.id);
  expect(record).toMatchObject({ exitStatus: 3, endedBy: 'command', program: 'sh', leftovers: [], hostCount: 2 });
  const { gathered = 0, ready = 0, finished = 0, released = 0 } = record?.phaseTimesMs ?? {};
  expect([gathered, ready, finished, released].every((time, at, all) => time > (all[at - 1] ?? 0))).toBe(true);
  // Its keeper was killed with it: the epilog has written what was known.
  await untilAsked(
    'the record of the cancelled job',
    20_000,
    async () => (await ask('node2', 'root', `inspect ${narrow.id}`)).exitCode === 0 || 'not there',
  );
  expect((await inspect('node2', 'root', narrow.id)).record).toMatchObject({ code: 'TERMINATED', program: 'sh' });
  expect((await ask('node1', 'bob', `inspect ${wide.id}`)).exitCode).toBe(77);
  const file = await tryAs(lab, 'node1', 'alice', 'cat', '/var/lib/hpc-submit-dockerjob/records/node1.jsonl');
  expect(file.text).toContain('Permission denied');
});

it('root sums the records and asks for metrics; a user does neither', async () => {
  const report = await ask('node1', 'root', 'report --by user --since 1h --json');
  const { rows } = JSON.parse(report.text) as { readonly rows: readonly { value: string; failed: number }[] };
  expect(rows.find(({ value }) => value === 'alice')?.failed).toBeGreaterThan(0);
  const metrics = await tryAs(lab, 'node1', 'root', `${productRoot}/bin/hpc-dockerjob-helper`, 'metrics');
  expect(metrics.text).toMatch(/^hpc_dockerjob_engine_up 1$/m);
  expect(metrics.text).toMatch(/^hpc_dockerjob_store_up 1$/m);
  expect(metrics.text).toMatch(/^hpc_dockerjob_ended_jobs\{end="command failed"\} [1-9]/m);
  expect((await ask('node1', 'alice', 'report')).exitCode).toBe(77);
  const asUser = await tryAs(lab, 'node1', 'alice', 'sudo', '-n', `${productRoot}/bin/hpc-dockerjob-helper`, 'metrics');
  expect(asUser.exitCode).toBe(1);
});

it.each([
  ['jobs --phase runing', 64, 'Did you mean running?'],
  ['jobs --watch', 64, '--watch needs a terminal'],
  ['inspect', 64, "missing required argument 'job'"],
  ["inspect '7;8'", 64, 'is not a job'],
])('a wrong call is told: %s', async (words, status, message) => {
  const { exitCode, text } = await ask('node1', 'alice', words);
  expect([exitCode, text]).toEqual([status, expect.stringContaining(message)]);
});

it.each(['show-jobs --user alice', 'show-jobs 7 8', "show-jobs '7 '", 'show-jobs -- 7'])(
  'sudo lets no other words through: %s',
  async (words) => {
    const { exitCode } = await tryAs(
      lab,
      'node1',
      'bob',
      'bash',
      '-c',
      `sudo -n ${productRoot}/bin/hpc-dockerjob-helper ${words}`,
    );
    expect(exitCode).toBe(1);
  },
);
