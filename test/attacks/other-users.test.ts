/**
 * The attacker wants what is another user's or root's: the container of a job on the same host, its files, network and
 * secrets, the store and the Docker Engine; and has the policy or a mount changed where he may write.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { mustRun } from '../../lab/batch-jobs.ts';
import { productRoot } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeSite } from '../support/e2e-site.ts';
import { findLastingLeftovers, findProgram, inHostDocker, inMpi, startBatch, tryAs } from '../support/e2e-jobs.ts';
import type { BatchJob } from '../support/e2e-jobs.ts';
import { e2eLab, runBatch } from '../support/e2e-lab.ts';

const helper = `${productRoot}/bin/hpc-dockerjob-helper`;
const secret = 'correct-horse-battery';

let lab: Lab;
let bob: BatchJob;
let pid: string;

beforeAll(async () => {
  lab = await e2eLab();
  const script = `export TOKEN=${secret}; hpc-submit-dockerjob --image lab/mpi:1 --env TOKEN -- sh -c 'echo running; while [ ! -e over ]; do sleep 0.2; done; echo whole'`;
  bob = await startBatch(lab, script, { user: 'bob', sbatch: ['-N2', '-n2', '--nodelist=node1,node2'] });
  await bob.shows('running', 'out');
  pid = await inHostDocker(lab, 'node1', 'inspect', '--format', '{{.State.Pid}}', `hpcdj-${bob.id}-node-0`);
});

afterAll(async () => {
  await mustRun(lab, 'node1', ['touch', `${bob.directory}/over`]);
  const { exitCode, stdout } = await bob.end();
  expect([exitCode, stdout]).toEqual(['0:0', 'running\nwhole\n']);
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

/** Each command fails for alice, and works for root: it is her rights that stand in the way. */
async function expectDenied(commands: readonly string[]): Promise<void> {
  for (const command of commands) {
    const { exitCode, text } = await tryAs(lab, 'node1', 'alice', 'bash', '-c', command);
    expect([command, exitCode === 0, text]).toEqual([
      command,
      false,
      expect.stringMatching(/permission denied|not permitted|password is required/i),
    ]);
    expect([command, (await tryAs(lab, 'node1', 'root', 'bash', '-c', command)).exitCode]).toEqual([command, 0]);
  }
}

describe('the container of another user', () => {
  it('cannot be looked into, entered or ended from the host', async () => {
    const inProc = ['root/etc/hostname', 'environ', 'maps'].map((name) => `head -c 1 /proc/${pid}/${name} >/dev/null`);
    await expectDenied([
      ...inProc,
      ...['ns/net', 'ns/mnt', 'cwd', 'exe', 'fd/0'].map((name) => `readlink -v /proc/${pid}/${name}`),
      `nsenter --target ${pid} --net true`,
      `kill -0 ${pid}`,
      `ls /run/hpc-dockerjob/${bob.id}`,
    ]);
  });

  it('has no secret in the list of processes, in its configuration or in the store’s keys of others', async () => {
    const { text } = await tryAs(
      lab,
      'node1',
      'alice',
      'sh',
      '-c',
      'ps -eo args; cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "',
    );
    expect(text).toContain(`run-node ${bob.id}`);
    expect(text).not.toContain(secret);
    expect(await inHostDocker(lab, 'node1', 'inspect', `hpcdj-${bob.id}-node-0`)).not.toContain(secret);
  });
});

describe('what is root’s', () => {
  it('is out of reach: the Engine, containerd, keys, spools, slots and budgets', async () => {
    await expectDenied([
      'docker ps',
      'curl --silent --max-time 3 --unix-socket /run/docker.sock http://x/info || { ls /run/docker.sock >/dev/null; echo permission denied; [ $(id -u) = 0 ]; }',
      'cat /etc/hpc-submit-dockerjob/tls/host-key.pem',
      'ls /run/hpc-dockerjob /run/hpc-dockerjob-slots >/dev/null',
    ]);
    for (const port of [2375, 2376]) {
      const { exitCode } = await tryAs(lab, 'node1', 'alice', 'bash', '-c', `exec 3<>/dev/tcp/127.0.0.1/${port}`);
      expect([port, exitCode === 0]).toEqual([port, false]);
    }
  });

  it('is the store as well: without a certificate nobody gets a word', async () => {
    const site = await mustRun(lab, 'node1', ['cat', '/etc/hpc-submit-dockerjob/site.yaml']);
    const endpoint = /https:\/\/[\w.:-]+/.exec(site)?.[0] ?? '';
    expect(endpoint).not.toBe('');
    const plain = await tryAs(
      lab,
      'node1',
      'alice',
      'env',
      'ETCDCTL_API=3',
      'etcdctl',
      '--command-timeout=3s',
      '--insecure-transport=false',
      '--insecure-skip-tls-verify',
      `--endpoints=${endpoint}`,
      'get',
      '--prefix',
      '/',
    );
    expect(plain.exitCode).not.toBe(0);
    expect(plain.text).toMatch(/DeadlineExceeded|deadline exceeded|bad certificate|certificate required/);
    expect(plain.text).not.toContain('PLAN');
  });
});

describe('a way into root’s processes of a job', () => {
  it('is no port of ours on its host, also after the signal by which Node opens its debugger', async () => {
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

describe('the policy of the site', () => {
  const site = '/etc/hpc-submit-dockerjob/site.yaml';
  const asking = `sudo -n ${helper} check-host </dev/null`;

  it('is not believed where alice could have written it', async () => {
    const changes = [
      ['chown alice', 'chown root'],
      ['chmod 666', 'chmod 644'],
    ];
    for (const [spoil, mend] of changes) {
      await mustRun(lab, 'node3', ['sh', '-c', `${spoil} ${site}`]);
      const { exitCode, text } = await tryAs(lab, 'node3', 'alice', 'sh', '-c', asking);
      await mustRun(lab, 'node3', ['sh', '-c', `${mend} ${site}`]);
      expect([spoil, exitCode, text]).toEqual([spoil, 78, expect.stringContaining('[CONFIG_UNTRUSTED]')]);
    }
    const swap = `cp ${site} /home/alice/site.yaml && chown alice /home/alice/site.yaml && mv ${site} ${site}.kept && ln -s /home/alice/site.yaml ${site}`;
    await mustRun(lab, 'node3', ['sh', '-c', swap]);
    const { exitCode, text } = await tryAs(lab, 'node3', 'alice', 'sh', '-c', asking);
    await mustRun(lab, 'node3', ['sh', '-c', `rm -f ${site} /home/alice/site.yaml && mv ${site}.kept ${site}`]);
    expect([exitCode, text]).toEqual([78, expect.stringContaining('[CONFIG_UNTRUSTED]')]);
  });

  it('mounts nothing whose place alice can change, also when she changes it between one job and the next', async () => {
    await mustRun(lab, 'node1', ['sh', '-c', 'mkdir -p /home/alice/share/data && chown -R alice /home/alice/share']);
    await using undo = new AsyncDisposableStack();
    undo.defer(async () => void (await mustRun(lab, 'node1', ['rm', '-rf', '/home/alice/share'])));
    undo.use(
      await changeSite(
        lab,
        {
          mounts: {
            allowed: [
              { source: '/scratch', always: true },
              { source: '/home/alice/share/data', target: '/data' },
            ],
          },
        },
        ['node1'],
      ),
    );
    const script = `try() { hpc-submit-dockerjob --image lab/tiny:1 --mount /home/alice/share/data -- ls /data 2>&1 | grep -o '\\[[A-Z_]*\\]\\|shadow' | sort -u | tr '\\n' ' '; }
try; rmdir ~/share/data; ln -s /etc ~/share/data; try; rm ~/share/data; ln -s /home/bob ~/share/data; try`;
    const { stdout } = await runBatch(lab, script, { sbatch: ['-N1', '-n1', '--nodelist=node1'] });
    // A link to what no site may mount is a fault of site.yaml itself.
    expect(stdout.trim().split(/\s+/)).toEqual(['[HOST_UNFIT]', '[CONFIG_INVALID]', '[HOST_UNFIT]']);
  });
});
