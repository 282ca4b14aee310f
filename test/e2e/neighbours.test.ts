/** Jobs side by side, what they write, and the signals that are meant for their programs. */
import { createHash } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { e2eLab, runBatch } from '../support/e2e-lab.ts';
import { cancelJob, findLastingLeftovers, inHostDocker, inMpi, startBatch } from '../support/e2e-jobs.ts';
import { readScratchFile } from '../support/lab-job.ts';
import { untilAsked } from '../support/until.ts';
import { changeSite, quickSite } from '../support/e2e-site.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await e2eLab();
});
afterEach(async () => expect(await findLastingLeftovers(lab)).toEqual([]));

describe('two jobs on the same hosts', () => {
  it('do not see each other, and one goes on when the other is cancelled', async () => {
    const ranks = `mpirun sh -c 'echo "$(hostname) $(ls /proc | grep -c "^[0-9]")"; sleep 3'`;
    const [first, second] = await Promise.all([
      startBatch(lab, `${inMpi} sh -c "${ranks.replaceAll('"', '\\"').replaceAll('$', '\\$')}; echo whole"`),
      startBatch(lab, `${inMpi} sh -c 'echo started; sleep 60'`, { user: 'bob' }),
    ]);
    await second.shows('started', 'out');
    await cancelJob(lab, second.id);
    const [whole, cancelled] = await Promise.all([first.end(), second.end()]);
    expect(cancelled.state).toBe('CANCELLED');
    expect(whole.exitCode).toBe('0:0');
    for (const n of [0, 1, 2]) {
      const processes = new RegExp(`^${first.id}-node-${n} (\\d+)$`, 'm').exec(whole.stdout)?.[1];
      // Of its own container alone: the host has hundreds.
      expect(Number(processes)).toBeGreaterThan(0);
      expect(Number(processes)).toBeLessThan(20);
    }
    expect(whole.stdout).toContain('whole');
  });
});

describe('the output of a job', () => {
  it('of 20 MB on three hosts is passed on byte by byte, and standard input is not eaten', async () => {
    const bytes = 20_000_000;
    const make = `head -c ${bytes} /dev/urandom >data; cat data; echo "to stderr" >&2; printf "no end of line" >&2`;
    const job = await runBatch(
      lab,
      `hpc-submit-dockerjob --quiet --image lab/mpi:1 -- sh -c '${make}'\ncat <<END >after\n$(echo still here)\nEND\nread line <<<"mine"; echo "$line" >>after`,
    );
    expect(job.exitCode).toBe('0:0');
    const [data, out] = await Promise.all(
      ['data', 'job.out'].map(async (name) => await readScratchFile(lab, `${job.directory}/${name}`)),
    );
    expect(out?.length).toBe(bytes);
    expect(sha256(out)).toBe(sha256(data));
    expect(job.stderr).toBe('to stderr\nno end of line');
    expect(String(await readScratchFile(lab, `${job.directory}/after`))).toBe('still here\nmine\n');
  });

  it('leaves the input of the script to the script', async () => {
    const job = await runBatch(
      lab,
      `printf 'one\\ntwo\\n' | { read first; ${inMpi} cat; read second; echo "$first $second"; }`,
      {
        sbatch: ['-N2', '-n2'],
      },
    );
    expect(job.stdout.trim()).toBe('one two');
  });
});

function sha256(bytes: Buffer | undefined): string {
  return createHash('sha256')
    .update(bytes ?? '')
    .digest('hex');
}

describe('a signal', () => {
  it('that the scheduler sends to the batch script reaches the command', async () => {
    const command = `trap "echo got USR1" USR1; trap "echo got USR2; exit 5" USR2; echo ready; while :; do sleep 0.1; done`;
    const job = await startBatch(lab, `exec ${inMpi} sh -c '${command}'`);
    await job.shows('ready', 'out');
    await cancelJob(lab, job.id, '--signal=USR1', '--batch');
    await job.shows('got USR1', 'out', 5000);
    await cancelJob(lab, job.id, '--signal=USR2', '--batch');
    const ended = await job.end(20_000);
    expect(ended.stdout).toContain('got USR2');
    expect(ended.exitCode).toBe('5:0');
  });
});

describe('suspension', () => {
  it.each([3, 1])(
    'pauses the containers on %i host(s), and the job survives one longer than its lease',
    async (count) => {
      const hosts = ['node1', 'node2', 'node3'].slice(0, count);
      await using _site = await changeSite(lab, quickSite);
      const job = await startBatch(
        lab,
        `${inMpi} sh -c 'for n in 1 2 3 4 5 6 7 8 9 10; do echo "tick $n"; sleep 0.5; done; echo whole'`,
        { sbatch: [`-N${count}`, `-n${count}`] },
      );
      await job.shows('tick 2', 'out');
      await mustRun(lab, 'node1', ['scontrol', 'suspend', job.id]);
      const states = async (): Promise<readonly string[]> =>
        await Promise.all(
          hosts.map(
            async (host, n) =>
              await inHostDocker(lab, host, 'inspect', '--format', '{{.State.Status}}', `hpcdj-${job.id}-node-${n}`),
          ),
        );
      await untilAsked('all containers paused', 5000, async () => {
        const now = (await states()).join(' ');
        return now === hosts.map(() => 'paused').join(' ') || now;
      });
      const before = await job.stdout();
      // Longer than the lease of the quick site, and longer than the keeper's own renewal.
      await new Promise((resolve) => setTimeout(resolve, 8000));
      expect(await job.stdout()).toBe(before);
      expect((await job.state()).state).toBe('SUSPENDED');
      // The guard of the disk does not take a stopped run-node for one that its user has frozen.
      const watchers = `pgrep -af '^[^ ]*node .*disk-watch.cjs .*"job":"${job.id}"' || :`;
      for (const host of hosts) expect(await mustRun(lab, host, ['sh', '-c', watchers])).toBe('');
      await mustRun(lab, 'node1', ['scontrol', 'resume', job.id]);
      const ended = await job.end(40_000);
      expect(ended.stderr).toContain('nothing is left behind');
      expect(ended.exitCode).toBe('0:0');
      expect(ended.stdout).toContain('whole');
    },
  );
});
