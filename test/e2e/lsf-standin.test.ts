/** What the stand-in for LSF does with real users on real hosts; its records are replayed in test/integration/lsf-standin. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { execOnHost, killHost } from '../../lab/exec-on-host.ts';
import type { ExecResult } from '../../lab/exec-on-host.ts';
import { bringUp } from '../../lab/lab.ts';
import { writeLsfFile } from '../../lab/lsf/install-lsf.ts';
import { configDir } from '../../lab/lsf/lsf-files.ts';
import { readStatus } from '../../lab/read-status.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { takeDown } from '../../lab/take-down.ts';
import { awaitState } from '../support/await-state.ts';
import { e2eLabs } from '../support/e2e-lab.ts';

const name = e2eLabs.lsf;

describe('the stand-in for LSF in a lab', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await bringUp({ name, hosts: 3, lsf: 'plain', install: false });
  });

  afterAll(async () => {
    await takeDown({ name, purge: 'state' });
  });

  const on = (host: string, user: string, ...argv: string[]): Promise<ExecResult> =>
    execOnHost(lab, host, { user, argv });
  const submit = async (...argv: string[]): Promise<string> =>
    /<(\d+)>/.exec((await on('node1', 'alice', 'bsub', ...argv)).stdout)?.[1] ?? '';
  const stateOf = async (id: string): Promise<string> =>
    (await on('node1', 'alice', 'bjobs', '-noheader', '-o', 'stat', id)).stdout.trim();

  it('runs job and tasks as their user, with all groups, on every host', async () => {
    const tasks = 'lsrun -p -m "$LSB_HOSTS" -- sh -c "hostname; id -u; id -Gn"';
    const { stdout, exitCode } = await on('node1', 'alice', 'bsub', '-I', '-n3', '-R', 'span[ptile=1]', tasks);
    expect(exitCode).toBe(0);
    const lines = stdout.split('\n');
    for (const host of ['node1', 'node2', 'node3']) expect(lines).toContain(host);
    expect(lines.filter((line) => line === '2001')).toHaveLength(3);
    expect(lines.filter((line) => line === 'alice cfd')).toHaveLength(3);
  });

  it('gives each element of an array its own input file', async () => {
    const script =
      'cd /scratch/alice && echo one >in.1 && echo two >in.2 && bsub -K -J "a[1-2]" -i in.%I -o /dev/null "cat >got.\\$LSB_JOBINDEX"; cat got.1 got.2; rm in.? got.?';
    const { stdout } = await on('node1', 'alice', 'sh', '-c', script);
    expect(stdout).toMatch(/one\ntwo$/);
  });

  it('lets nobody touch the job of another, and root submit nothing', async () => {
    const id = await submit('sleep', '60');
    await awaitState('RUN', () => stateOf(id));
    expect(await on('node2', 'bob', 'bkill', id)).toMatchObject({
      exitCode: 255,
      stderr: `Job <${id}>: User permission denied`,
    });
    expect((await on('node1', 'root', 'bsub', 'true')).stderr).toBe('User permission denied. Job not submitted.');
    expect((await on('node1', 'root', 'bkill', id)).exitCode).toBe(0);
    await awaitState('EXIT', () => stateOf(id));
  });

  it('believes nobody without the proof of munge', async () => {
    const forged = `${JSON.stringify({ type: 'control', job: '0', action: 'terminate' })}\n`;
    const script = 'exec 3<>/dev/tcp/head/6879; printf %s "$1" >&3; cat <&3';
    expect((await on('node1', 'bob', 'bash', '-c', script, 'forge', forged)).stdout).toContain(
      'User permission denied',
    );
  });

  it('runs hooks as root in the groups and the environment of the user, where the queue says so', async () => {
    const queue = [
      'QUEUE_NAME = normal',
      'PRE_POST_EXEC_USER = root',
      'POST_EXEC = echo "$(id -u):$(id -gn) $MINE" > /scratch/post',
    ];
    await writeLsfFile(lab, `${configDir}/lsb.queues`, ['Begin Queue', ...queue, 'End Queue', ''].join('\n'));
    await on('node1', 'alice', 'env', 'MINE=own', 'bsub', '-K', 'true');
    const readPost = async (): Promise<string> => (await on('node1', 'root', 'cat', '/scratch/post')).stdout;
    await awaitState('0:alice own', readPost);
  });

  it('gets blaunch when it is told to be like the one that has it', async () => {
    expect((await on('node1', 'alice', 'which', 'blaunch')).exitCode).toBe(1);
    lab = await bringUp({ name, lsf: 'ibm', install: false });
    const { stdout } = await on('node1', 'alice', 'bsub', '-I', '-n2', '-R', 'span[ptile=1]', 'blaunch -n hostname');
    expect(stdout.match(/^node\d$/gm)).toHaveLength(2);
  });

  it('loses the job of a host that fails once the host is back', async () => {
    const id = await submit('-m', 'node3', 'sleep', '600');
    await awaitState('RUN', () => stateOf(id));
    await killHost(lab, 'node3');
    lab = await bringUp({ name, install: false });
    await awaitState('EXIT', () => stateOf(id), 60_000);
    expect(await readStatus(name)).toMatchObject({ state: 'up' });
  });
});
