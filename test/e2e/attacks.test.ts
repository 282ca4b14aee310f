/** A hostile user: what was found to work once, and must not again. Images: `attacks/hostile-images.test.ts`. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { productRoot } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { cancelJob, findLastingLeftovers, findProgram, inMpi, startBatch, tryAs } from '../support/e2e-jobs.ts';
import { until } from '../support/until.ts';
import { e2eLab, runBatch } from '../support/e2e-lab.ts';

const helper = `${productRoot}/bin/hpc-dockerjob-helper`;

let lab: Lab;

beforeAll(async () => {
  lab = await e2eLab();
});

afterAll(async () => {
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

const onNode1 = ['-N1', '-n1', '--nodelist=node1'];

describe('a reader that stands still', () => {
  it('gets all of the output when it goes on, long after the command', async () => {
    const script = `${inMpi} sh -c 'head -c 3000000 /dev/zero' | (sleep 24; wc -c); exit \${PIPESTATUS[0]}`;
    const job = await runBatch(lab, script, { sbatch: ['-N2', '-n2'] });
    expect([job.exitCode, job.stdout.trim()]).toEqual(['0:0', '3000000']);
  });
});

describe('a user at the sudo rule', () => {
  it('does not choose the directory of the helper, nor its limits', async () => {
    const call =
      'mkdir -p /tmp/gone && cd /tmp/gone && rmdir /tmp/gone && ulimit -S -f 0 && ulimit -S -n 64 && ulimit -S -t 5';
    const job = await startBatch(lab, `${call}; sleep 20 | sudo -n ${helper} open-job &>/dev/null`, {
      sbatch: onNode1,
    });
    let pid: string | undefined;
    await until('the helper', 15_000, async () => {
      [pid] = await findProgram(lab, 'node1', 'keeper', job.id);
      return pid !== undefined || 'no open-job runs';
    });
    const seen = await mustRun(lab, 'node1', ['sh', '-c', `readlink /proc/${pid}/cwd; cat /proc/${pid}/limits`]);
    await cancelJob(lab, job.id);
    await job.end();
    expect(seen.split('\n')[0]).toBe('/');
    expect(seen).toMatch(/^Max file size +unlimited/m);
    expect(seen).toMatch(/^Max cpu time +unlimited/m);
    expect(Number(/^Max open files +(\d+)/m.exec(seen)?.[1])).toBeGreaterThan(1000);
    expect(seen).toMatch(/^Max core file size +0 /m);
  });

  it.each(['run-node 99999999 0123456789abcdef', 'open-job'])(
    'is refused at once outside of a job, and makes no process of root wait: %s',
    async (verb) => {
      const startedAt = performance.now();
      // Its input stays open for much longer than the call may take.
      const script = `exec 3< <(exec sleep 15); sudo -n ${helper} ${verb} <&3; status=$?; kill $!; exit $status`;
      const { exitCode, text } = await tryAs(lab, 'node1', 'alice', 'bash', '-c', script);
      expect(exitCode).toBe(77);
      expect(text).toContain('JOB_NOT_YOURS');
      expect(performance.now() - startedAt).toBeLessThan(8000);
    },
  );

  it('finds no port of ours on the host of a job, also after the signal by which Node opens its debugger', async () => {
    const job = await startBatch(
      lab,
      `${inMpi} sh -c 'trap : USR1; echo running; while [ ! -e over ]; do sleep 0.2; done'`,
    );
    await job.shows('running', 'out');
    await using end = new AsyncDisposableStack();
    end.defer(async () => void (await mustRun(lab, 'node1', ['touch', `${job.directory}/over`])));
    const found = await Promise.all(
      (['keeper', 'run-node'] as const).map(async (name) => await findProgram(lab, 'node1', name, job.id)),
    );
    expect(found.map(({ length }) => length)).toEqual([1, 1]);
    const pids = found.flat();
    await mustRun(lab, 'node1', ['kill', '-USR1', ...pids]);
    await pause(1000);
    const listening = (await mustRun(lab, 'node1', ['ss', '-lntuHp'])).split('\n');
    expect(listening.filter((line) => line.includes('"slurmd"'))).not.toEqual([]); // it does tell whose a port is
    expect(listening.filter((line) => pids.some((pid) => line.includes(`pid=${pid},`)))).toEqual([]);
    await end.disposeAsync();
    expect((await job.end(30_000)).exitCode).toBe('0:0');
  });
});
