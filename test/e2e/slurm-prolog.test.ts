/** The prolog keeps jobs off a host whose Docker Engine does not serve, and keeps none waiting where it does. */
import { beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { spoilHost } from '../support/doctor.ts';
import { e2eLab } from '../support/e2e-lab.ts';

const host = 'node1';
const kit = '/opt/hpc-submit-dockerjob/lib/node_modules/hpc-submit-dockerjob/share/slurm';
const mark = '/run/hpc-dockerjob-fit';

let lab: Lab;
beforeAll(async () => {
  lab = await e2eLab();
  await mustRun(lab, host, ['rm', '-f', mark]);
});

/** As slurmd calls it; says how it ended, and when the host was last looked at as a whole. */
async function runProlog(): Promise<{ readonly exitCode: number; readonly lookedAt: string }> {
  const { exitCode } = await execOnHost(lab, host, { argv: ['env', '-i', 'SLURM_JOB_ID=7777', `${kit}/prolog`] });
  const { stdout } = await execOnHost(lab, host, { argv: ['stat', '--format=%.Y', mark] });
  return { exitCode, lookedAt: stdout.trim() };
}

describe("Slurm's prolog", () => {
  it('looks at the host once, and again when something has changed', async () => {
    const first = await runProlog();
    expect(first).toMatchObject({ exitCode: 0, lookedAt: expect.stringMatching(/^\d/) as string });
    expect(await runProlog()).toEqual(first);
    await mustRun(lab, host, ['touch', '/etc/hpc-submit-dockerjob/site.yaml']);
    const second = await runProlog();
    expect(second.exitCode).toBe(0);
    expect(Number(second.lookedAt)).toBeGreaterThan(Number(first.lookedAt));
  });

  it('fails while the Docker Engine does not answer, though it did a moment ago', async () => {
    expect((await runProlog()).exitCode).toBe(0);
    const signal = (name: string): string => `kill -${name} "$(cat /run/docker.pid)"`;
    {
      await using _frozen = await spoilHost(lab, host, signal('STOP'), signal('CONT'));
      expect(await runProlog()).toEqual({ exitCode: 1, lookedAt: '' });
    }
    expect((await runProlog()).exitCode).toBe(0);
  });

  it('does not take a faulty site.yaml for a fault of the host', async () => {
    const site = '/etc/hpc-submit-dockerjob/site.yaml';
    await using _faulty = await spoilHost(
      lab,
      host,
      `cp ${site} /root/site; echo nonsense: 1 >>${site}`,
      `cat /root/site >${site}`,
    );
    expect((await runProlog()).exitCode).toBe(0);
  });
});
