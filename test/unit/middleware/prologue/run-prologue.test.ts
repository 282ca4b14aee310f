import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  claimHolderDirectory,
  holderDirectory,
  holderSocket,
} from '../../../../src/middleware/lsf/prologue/held-job.ts';
import { runPrologue } from '../../../../src/middleware/lsf/prologue/run-prologue.ts';
import { serveStarter } from '../../../../src/middleware/lsf/prologue/serve-starter.ts';
import { requireJobKey } from '../../../../src/contract/job-key.ts';

const uid = process.getuid?.() ?? 0;
const environment = { LSB_JOBID: '772', LSB_MCPU_HOSTS: 'node1 1 ', LSB_QUEUE: 'cfd' };
const site = `version: 1
scheduler: {requireJobCgroup: false}
lsf: {start: prologue, queues: {cfd: {image: "hpc/c:7"}}}
deadlines: {openSeconds: 1, startSeconds: 1, discoverSeconds: 1, stopSeconds: 1, releaseSeconds: 2}
`;

let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'hpcdj-prologue-'));
  await writeFile(join(parent, 'site.yaml'), site);
});
afterEach(async () => await rm(parent, { recursive: true, force: true }));

/** The prologue with a holder that is this shell script, in an empty directory `$1`. */
async function run(
  script: string,
  more: { readonly environment?: Record<string, string>; readonly site?: string } = {},
): Promise<{ status: number; said: string[] }> {
  const said: string[] = [];
  if (more.site !== undefined) await writeFile(join(parent, 'site.yaml'), more.site);
  const status = await runPrologue({
    options: {},
    environment: more.environment ?? environment,
    uid,
    sitePath: join(parent, 'site.yaml'),
    holdCommand: ['/bin/sh', '-c', script, 'hold', parent],
    say: (line) => void said.push(line),
    parent,
    slackMs: 300,
  });
  return { status, said };
}

const ended = (code: string, exitStatus: number): string =>
  `echo '${JSON.stringify({ ended: { by: 'middleware', code, message: 'It is so.', exitStatus } })}'`;
const ready = `echo '{"ready":true}'`;

describe('the prologue', () => {
  it('lets the job start when its containers are ready, and leaves them to the process that holds them', async () => {
    const { status, said } = await run(
      `${ready}; read word; echo "$word" >"$1/heard"; sleep 0.3; echo on >>"$1/heard"`,
    );
    expect([status, said]).toEqual([0, []]);
    await expect.poll(async () => await readFile(join(parent, 'heard'), 'utf8').catch(() => '')).toBe('adopt\non\n');
  });

  it.each([
    ['IMAGE_NOT_ALLOWED', 77, 99],
    ['ENGINE_UNREACHABLE', 69, 69],
    ['STORE_UNREACHABLE', 69, 75],
    ['SCHEDULER_UNREACHABLE', 69, 75],
    ['NODE_LATE', 75, 75],
    ['JOB_NOT_YOURS', 77, 0],
    ['WORKDIR_UNUSABLE', 65, 0],
    ['LAUNCHER_FAILED', 69, 0],
    ['BUG', 70, 0],
  ])('makes of %s what LSF understands, and says it', async (code, exitStatus, status) => {
    expect(await run(ended(code, exitStatus))).toEqual({ status, said: [`It is so. [${code}]`] });
  });

  it('has no host barred for what another host of the job lacks', async () => {
    const onTwo = { ...environment, LSB_MCPU_HOSTS: 'node1 1 node2 1 ' };
    expect(await run(ended('ENGINE_UNREACHABLE', 69), { environment: onTwo })).toMatchObject({ status: 75 });
  });

  it('has the job tried again when the process that was to hold it dies', async () => {
    expect(await run('kill -KILL $$')).toMatchObject({ status: 75 });
    expect(await run('echo nonsense')).toMatchObject({ status: 0, said: [expect.stringContaining('[BUG]')] });
  });

  it('has the job tried again when nothing is said in time', async () => {
    const startedAt = performance.now();
    expect(await run('cat >/dev/null; touch "$1/told"')).toMatchObject({ status: 75 });
    // Three phases of a second, then what a release takes.
    expect(performance.now() - startedAt).toBeGreaterThan(6000);
    await expect.poll(() => existsSync(join(parent, 'told'))).toBe(true);
  }, 20_000);

  it.each(['SIGTERM', 'SIGINT'] as const)('ends the job when it is ended by %s, and waits for that', async (signal) => {
    // A holder that is ready too late: its job must not be adopted.
    const script = `cat >"$1/heard"; ${ready}; sleep 0.3; touch "$1/over"; ${ended('TERMINATED', 143)}`;
    const running = run(script);
    await pause(300);
    process.emit(signal, signal);
    expect(await running).toMatchObject({ status: signal === 'SIGINT' ? 130 : 143 });
    expect(existsSync(join(parent, 'over'))).toBe(true);
    expect(await readFile(join(parent, 'heard'), 'utf8')).toBe('');
  });

  it.each([
    ['a site whose jobs begin with their script', { site: site.replace('prologue', 'script') }],
    ['a job without an image', { environment: { ...environment, LSB_QUEUE: 'other' } }],
  ])('starts nothing for %s', async (_, more) => {
    expect(await run('touch "$1/started"', more)).toEqual({ status: 0, said: [] });
    expect(existsSync(join(parent, 'started'))).toBe(false);
  });

  it('has what it started before ended first', async () => {
    const directory = holderDirectory(uid, parent);
    await claimHolderDirectory(directory, uid);
    const socket = holderSocket(directory, requireJobKey('772'));
    const server = await serveStarter(socket, { workdir: '/' });
    const cancelled = Promise.withResolvers<NodeJS.Signals>();
    server.listen({ cancel: cancelled.resolve, forward: () => undefined });
    const running = run(`touch "$1/started"; ${ready}`);
    await cancelled.promise;
    await pause(100);
    expect(existsSync(join(parent, 'started'))).toBe(false);
    await server.finish({ by: 'command', exitStatus: 0 });
    expect(await running).toMatchObject({ status: 0 });
    expect(existsSync(join(parent, 'started'))).toBe(true);
  });
});
