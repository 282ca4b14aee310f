/** Jobs of LSF that lose a host by a power failure and are put back into the queue. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { killHost } from '../../lab/exec-on-host.ts';
import { readKeys } from '../../lab/find-leftovers.ts';
import { bringUp } from '../../lab/lab.ts';
import { renderQueue } from '../../lab/lsf/lsf-files.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { e2eLabs } from '../support/e2e-lab.ts';
import { inHostDocker, inMpi, reapOn } from '../support/e2e-jobs.ts';
import { untilAsked } from '../support/until.ts';
import { changeSite, quickDeadlines, quickSite } from '../support/e2e-site.ts';
import {
  configureLsf,
  control,
  endAllJobs,
  findLsfLeftovers,
  hostsOf,
  lsfLab,
  postExec,
  submitScript,
} from '../support/lsf-lab.ts';
import type { LsfJob } from '../support/lsf-lab.ts';

let lab: Lab;
/** Hosts that have died are noticed soon; those that are slow may take their time. */
const patient = { ...quickSite, deadlines: { ...quickDeadlines, startSeconds: 60, discoverSeconds: 30 } };
const queue = renderQueue('normal', [postExec, 'REQUEUE_EXIT_VALUES = 75']);

beforeAll(async () => {
  lab = await lsfLab('plain');
  await configureLsf(lab, [queue]);
  await changeSite(lab, patient); // until the lab is brought up again, which writes it anew
});
/** Also after a failure: the next file wants three hosts, and nothing on them. */
afterAll(async () => {
  lab = await bringUp({ name: e2eLabs.lsfJobs });
  await endAllJobs(lab);
  await awaitNothingLeft();
});

/** What the hosts could not do themselves is done by the timer of the admin guide, on each of them. */
async function awaitNothingLeft(): Promise<void> {
  await untilAsked('nothing left for the reapers', 60_000, async () => {
    for (const { name } of lab.nodes) await reapOn(lab, name);
    const found = await findLsfLeftovers(lab, 1000);
    return found.length === 0 || found.join('; ');
  });
}

/** Lasts until its host dies, and when it is run again tells the hosts of all ranks. */
const again = `[ $(wc -l <runs) -gt 1 ] || sleep 100; mpirun hostname; echo whole`;
const script = `${inMpi} sh -c 'echo run >>runs; echo started; ${again}'\nexit $?`;

function expectWhole(job: LsfJob, ended: Awaited<ReturnType<LsfJob['end']>>, hosts: number): void {
  expect(ended).toMatchObject({ stat: 'DONE', exitCode: 0 });
  expect(ended.stdout).toContain('\nwhole');
  for (let node = 0; node < hosts; node += 1) expect(ended.stdout).toContain(`${job.id}-node-${node}\n`);
  expect(ended.stderr).toContain('nothing is left behind');
}

it('run again on other hosts, or on the same one when it is back with what it had of them', async () => {
  const three = await submitScript(lab, script);
  await three.is('RUN');
  const [first, , last] = await hostsOf(lab, three);
  // The stand-in begins with another host each time. Not node1 is to die, from which all is watched.
  if (last === 'node1')
    for (let turns = 0; turns < 2; turns += 1) await (await submitScript(lab, 'true', { bsub: ['-n1'] })).end();
  const two = await submitScript(lab, script, { bsub: ['-n2', '-R', 'span[ptile=1]'] });
  for (const job of [three, two]) await job.shows('started', 'out', 90_000);
  const victim = (await hostsOf(lab, two))[1] ?? '';
  // Of the death of a job's first host LSF hears when it is back, and then ends the job.
  expect(['node1', first]).not.toContain(victim);

  await killHost(lab, victim);
  const wholeOnOthers = await two.end(120_000);
  expectWhole(two, wholeOnOthers, 2);
  await untilAsked(`job ${three.id} back in the queue`, 60_000, async () => {
    const { stat } = await three.state();
    return stat === 'PEND' || `it is ${stat}: ${(await three.stderr()).slice(-800)}`;
  });
  // It must not begin before the host is whole again.
  await control(lab, 'bstop', three.id);

  lab = await bringUp({ name: e2eLabs.lsfJobs, keepContainers: true });
  await changeSite(lab, patient);
  const left = (await inHostDocker(lab, victim, 'ps', '--all', '--format', '{{.Names}}')).split('\n');
  for (const { id } of [three, two])
    expect(left).toContainEqual(expect.stringMatching(new RegExp(`^hpcdj-${id}-node-\\d$`)));
  expect(await readKeys(lab)).toContainEqual(expect.stringMatching(/^\/\.site\/earlier-runs\//));

  await control(lab, 'bresume', three.id);
  const wholeOnVictim = await three.end(120_000);
  expectWhole(three, wholeOnVictim, 3);
  await awaitNothingLeft();
});
