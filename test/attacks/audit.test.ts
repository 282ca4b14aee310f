/** The attacker wants to leave no trace of what they tried, or a trace that says something else. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { productRoot } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import type { BatchJob } from '../support/e2e-jobs.ts';
import { findLastingLeftovers, inMpi, startBatch, tryAs } from '../support/e2e-jobs.ts';
import { e2eLab, runBatch } from '../support/e2e-lab.ts';
import { changeSite, quickSite } from '../support/e2e-site.ts';

const helper = `${productRoot}/bin/hpc-dockerjob-helper`;
const directory = '/var/log/hpcdj-audit';
const file = `${directory}/audit.json`;
const alice = 2001;
const bobsUid = 2002;

let lab: Lab;
let bob: BatchJob;
const undo = new AsyncDisposableStack();

beforeAll(async () => {
  lab = await e2eLab();
  for (const { name } of lab.nodes) await mustRun(lab, name, ['mkdir', '-p', directory]);
  undo.defer(async () => {
    for (const { name } of lab.nodes) await mustRun(lab, name, ['rm', '-rf', directory]);
  });
  undo.use(await changeSite(lab, { ...quickSite, audit: { file } }));
  bob = await startBatch(lab, `${inMpi} sh -c 'echo running; while [ ! -e over ]; do sleep 0.2; done'`, {
    user: 'bob',
    sbatch: ['-N2', '-n2', '--nodelist=node1,node2'],
  });
  await bob.shows('running', 'out');
});

afterAll(async () => {
  await undo.disposeAsync();
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

type Fields = Readonly<Record<string, unknown>>;

async function records(host = 'node1'): Promise<readonly Fields[]> {
  const { exitCode, text } = await tryAs(lab, host, 'root', 'cat', file);
  if (exitCode !== 0) return []; // nothing was written yet
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Fields]));
}

/** The records on node1 that the action has brought about; those of bob's own job come when they come. */
async function recordsOf(action: () => Promise<unknown>): Promise<readonly Fields[]> {
  const { length } = await records();
  await action();
  return (await records()).slice(length).filter(({ uid }) => uid !== bobsUid);
}

const asAlice = async (call: string): ReturnType<typeof tryAs> =>
  await tryAs(lab, 'node1', 'alice', 'sh', '-c', call.replaceAll('JOB', bob.id));

describe('an attempt on the job of another user', () => {
  it.each([
    ['control-job', `sudo -n ${helper} control-job JOB stop`, 'JOB_NOT_YOURS'],
    ['release-job', `sudo -n ${helper} release-job JOB`, 'JOB_NOT_YOURS'],
    ['release-node', `sudo -n ${helper} release-node JOB`, 'JOB_NOT_YOURS'],
    ['run-node', `sudo -n ${helper} run-node JOB 0123456789abcdef`, 'JOB_NOT_YOURS'],
    ['open-job', `echo '{}' | sudo -n ${helper} open-job`, 'JOB_NOT_YOURS'],
    ['check-host', `printf '[[[[' | sudo -n ${helper} check-host`, 'USAGE'],
  ])('by %s is one record with the caller and the reason', async (verb, call, code) => {
    const seen = await recordsOf(async () => expect((await asAlice(call)).exitCode).not.toBe(0));
    const job = verb === 'open-job' || verb === 'check-host' ? {} : { job: bob.id };
    expect(seen).toEqual([
      expect.objectContaining({ event: 'call', uid: alice, verb, verdict: 'refused', code, host: 'node1', ...job }),
    ]);
  });

  it.each([
    [['run-node', '99', '../../x', 'more']],
    [['release-job', '99', '--force', '--force=x']],
    [['release-job', '99', '--force']],
    [['nosuch\u2028verb', '99']],
    [[]],
  ])('by the words %j, which a looser sudo rule lets through, is one record', async (words) => {
    const call = async (): ReturnType<typeof tryAs> =>
      await tryAs(lab, 'node1', 'root', 'env', `SUDO_UID=${alice}`, helper, ...words);
    expect(await recordsOf(call)).toEqual([
      expect.objectContaining({ event: 'call', uid: alice, verb: words[0] ?? '', verdict: 'refused' }),
    ]);
  });

  it('is told from what root does, in every record of it', async () => {
    const seen = await recordsOf(async () => {
      await tryAs(lab, 'node1', 'root', helper, 'control-job', bob.id, 'suspend');
      await tryAs(lab, 'node1', 'root', helper, 'control-job', bob.id, 'resume');
      await tryAs(lab, 'node1', 'root', helper, 'reap');
    });
    const told = seen.filter(({ verb }) => verb === 'control-job' || verb === 'reap');
    expect(told.map(({ event, uid }) => [event, uid])).toEqual([
      ...[1, 2].flatMap(() => [
        ['call', 0],
        ['job-controlled', 0],
      ]),
      ['call', 0],
      ['reaped', 0],
    ]);
  });
});

describe('what a user writes', () => {
  it('forges no record', async () => {
    const forged = String.raw`x","event":"job-opened","uid":0,"y":"`;
    const { exitCode } = await runBatch(lab, `APPLICATION='${forged}\u0085' COMMAND=true hpc-submit-dockerjob`, {
      sbatch: ['-N1', '-n1', '--nodelist=node1'],
    });
    expect(exitCode).not.toBe('0:0');
    const all = await records();
    expect(all.filter(({ event, uid }) => event === 'job-opened' && uid === 0)).toEqual([]);
    expect(all.every(({ seq, prev }) => typeof seq === 'number' && typeof prev === 'string')).toBe(true);
  });
});

describe('the records of a job', () => {
  it('name its owner as the caller, its decision before its opening, and its end', async () => {
    await mustRun(lab, 'node1', ['touch', `${bob.directory}/over`]);
    expect((await bob.end()).exitCode).toBe('0:0');
    const look = async (host: string, verb: string): Promise<readonly unknown[]> =>
      (await records(host))
        .filter((each) => each['verb'] === verb && each['job'] === bob.id && each['uid'] === bobsUid)
        .map(({ event, verdict }) =>
          [event, verdict].filter((word): word is string => typeof word === 'string').join(' '),
        );
    await expect
      .poll(async () => await look('node1', 'open-job'), { timeout: 20_000 })
      .toEqual(['call allowed', 'job-opened', 'job-ended', 'job-released', 'call-ended done']);
    await expect
      .poll(async () => await look('node2', 'run-node'), { timeout: 20_000 })
      .toEqual(['call allowed', 'node-released', 'call-ended done']);
  });

  it('are whole for root, for nobody else, and a change is found by its line', async () => {
    const verify = async (): ReturnType<typeof tryAs> => await tryAs(lab, 'node1', 'root', helper, 'audit', 'verify');
    const whole = await verify();
    expect([whole.exitCode, whole.text]).toEqual([0, expect.stringMatching(/^host node1: whole up to record \d+$/m)]);
    const denied = await tryAs(lab, 'node1', 'root', 'env', `SUDO_UID=${alice}`, helper, 'audit', 'verify');
    expect([denied.exitCode, denied.text]).toEqual([77, expect.stringContaining('[NOT_PERMITTED]')]);
    await mustRun(lab, 'node1', ['sed', '-i', '3s/"uid":[0-9]*/"uid":7/', file]);
    const { exitCode, text } = await verify();
    expect([exitCode, text]).toEqual([1, expect.stringMatching(/audit\.json:[34]: /)]);
  });
});
