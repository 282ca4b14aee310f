/** Containers of LSF's jobs that their user opens beside the batch script, where no cgroup shows who calls. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import { renderQueue } from '../../lab/lsf/lsf-files.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { changeSite, quickSite } from '../support/e2e-site.ts';
import { configureLsf, endAllJobs, findLsfLeftovers, lsfLab, submitCommand } from '../support/lsf-lab.ts';
import { untilAsked } from '../support/until.ts';

let lab: Lab;
const undo = new AsyncDisposableStack();
beforeAll(async () => {
  lab = await lsfLab('plain');
  // As when a user has kept POST_EXEC from working.
  await configureLsf(lab, [renderQueue('normal', [])]);
  undo.use(await changeSite(lab, quickSite));
});
afterAll(async () => await undo.disposeAsync());
afterEach(async () => {
  await endAllJobs(lab);
  expect(await findLsfLeftovers(lab, 25_000)).toEqual([]);
});

/** Calls the program for that job from a login on this host, and has it run on there. */
async function openFrom(host: string, id: string, command: string): Promise<void> {
  const call = `LSB_JOBID=${id} LSB_JOBINDEX=0 LSB_MCPU_HOSTS='node1 1' hpc-submit-dockerjob --image lab/mpi:1 -- ${command}`;
  const script = `cd /scratch/alice && (setsid env ${call} >/scratch/alice/outside.log 2>&1 &)`;
  expect(await execOnHost(lab, host, { user: 'alice', argv: ['sh', '-c', script] })).toMatchObject({ exitCode: 0 });
}

const saidOutside = async (): Promise<string> => await mustRun(lab, 'node1', ['cat', '/scratch/alice/outside.log']);

async function submitShort(seconds: number): Promise<string> {
  const { job, text } = await submitCommand(lab, [`sleep ${seconds}`], { bsub: ['-n1', '-m', 'node1'] });
  if (job === undefined) throw new Error(text);
  await job.is('RUN', 20_000);
  return job.id;
}

it('end soon after a job of seconds, though nothing of it tells them', async () => {
  await openFrom('node1', await submitShort(8), 'sleep 300');
  await untilAsked('the command', 20_000, async () => (await saidOutside()).includes('ready') || (await saidOutside()));
  // Two minutes before: as many containers on one slot as jobs fit into these.
  await untilAsked('the end', 60_000, async () => (await saidOutside()).includes('says that') || (await saidOutside()));
  expect(await saidOutside()).toMatch(/The scheduler says that job \d+ is over.*\[TERMINATED\]/);
}, 120_000);

it('are opened on a host of the job only', async () => {
  await openFrom('node2', await submitShort(20), 'hostname');
  await untilAsked('a refusal', 15_000, async () => (await saidOutside()).includes('JOB_NOT') || (await saidOutside()));
  expect(await saidOutside()).toContain('host node2 is not one of its hosts');
}, 60_000);
