/** A job between its dispatch and its own first process, as the source of the recorded system has it. */
import { access, rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startStandin } from '../../support/lsf-standin.ts';
import type { Standin } from '../../support/lsf-standin.ts';

/** Does nothing, but in the phase that HOLD names: there it notes every signal and ends when, and as, it is told. */
const hook = `#!/usr/bin/perl
my ($phase) = @ARGV;
exit 0 if ($ENV{HOLD} // '') ne $phase or $ENV{LS_EXEC_T} ne 'START';
chdir $ENV{LS_SUBCWD};
sub note { open my $f, '>>', 'signals'; print $f "$_[0]\\n" }
for my $name (qw(INT TERM USR1 TSTP)) { $SIG{$name} = sub { note($name); exit $ENV{AT_INT} if $name eq 'INT' and exists $ENV{AT_INT} } }
note('ready');
until (-s 'end') { select undef, undef, undef, 0.05 }
open my $end, '<', 'end';
exit <$end>;
`;

describe.each([
  ['the recorded system', '', ['eexec', 'queue', 'job']],
  ['IBM’s', 'STANDIN_LIKE=ibm', ['host', 'queue']],
])('a job in its pre-execs, with a stand-in like %s', (_, conf, phases) => {
  let lsf: Standin;
  beforeAll(async () => {
    const params = 'MBD_SLEEP_TIME=0.5\nJOB_TERMINATE_INTERVAL=0.4\n';
    const queues = { hooks: 'PRE_EXEC = exec $LS_SUBCWD/hook queue\nHOST_PRE_EXEC = exec $LS_SUBCWD/hook host' };
    lsf = await startStandin({ slots: [4, 4], conf, params, queues });
    await lsf.writeProgram(`${lsf.home}/hook`, hook);
    await lsf.writeProgram(`${lsf.serverdir}/eexec`, '#!/bin/sh\nexec "$LS_SUBCWD/hook" eexec\n');
  });
  afterAll(() => lsf[Symbol.asyncDispose]());
  beforeEach(async () => {
    for (const name of ['signals', 'end', 'started', 'tries', 'go']) await rm(`${lsf.home}/${name}`, { force: true });
  });

  const hooked = ['-q', 'hooks', '-E', 'exec ./hook job'];
  const holdIn = async (
    phase: string,
    command = 'touch started',
    more: Record<string, string> = {},
  ): Promise<number> => {
    const id = await lsf.submit([...hooked, command], { env: { HOLD: phase, ...more } });
    await lsf.awaitFile('signals', /ready/);
    return id;
  };
  const endHook = async (status: number): Promise<void> => await lsf.writeProgram(`${lsf.home}/end`, String(status));
  const show = async (id: number, fields: string): Promise<string> =>
    (await lsf.run('bjobs', ['-noheader', '-o', fields, String(id)])).stdout.trim();
  const hasStarted = async (): Promise<boolean> =>
    await access(`${lsf.home}/started`).then(
      () => true,
      () => false,
    );

  it.each(phases)('is RUN on its hosts during that of %s', async (phase) => {
    const argv = [...hooked, '-n', '2', '-R', 'span[ptile=1]', 'touch started'];
    const id = await lsf.submit(argv, { env: { HOLD: phase } });
    await lsf.awaitFile('signals', /ready/);
    expect(await show(id, 'stat exec_host')).toMatch(/^RUN node(?:1:node2|2:node1)$/);
    expect(await hasStarted()).toBe(false);
    await endHook(0);
    await lsf.awaitStatus(id, 'DONE');
  });

  it('is PEND again, on no host, when one fails', async () => {
    const id = await holdIn('queue');
    await endHook(1);
    // It is tried again at every cycle.
    await expect.poll(() => show(id, 'stat exec_host delimiter=","'), { timeout: 15_000 }).toBe('PEND,-');
    expect(await hasStarted()).toBe(false);
    await lsf.run('bkill', [String(id)]);
    await lsf.awaitStatus(id, 'EXIT');
  });

  it.each(phases)('is ended by bkill, which sends that of %s INT, TERM and KILL', async (phase) => {
    const id = await holdIn(phase);
    await lsf.run('bkill', [String(id)]);
    await lsf.awaitStatus(id, 'EXIT');
    expect((await lsf.awaitFile('signals')).trim().split('\n')).toEqual(['ready', 'INT', 'TERM']);
    expect(await hasStarted()).toBe(false);
  });

  it.each([
    [0, 130],
    [1, 1],
  ])('is ended by bkill, though its pre-exec ends with %i then', async (status, exitCode) => {
    const id = await holdIn('queue', 'touch started', { AT_INT: String(status) });
    await lsf.run('bkill', [String(id)]);
    await lsf.awaitStatus(id, 'EXIT');
    expect((await lsf.run('bjobs', ['-l', String(id)])).stdout).toContain(`Exited with exit code ${exitCode}.`);
    expect(await hasStarted()).toBe(false);
  });

  it('is suspended by bstop when it has started, and goes on', async () => {
    const id = await holdIn('queue', 'until test -e go; do sleep 0.05; done; touch started');
    await lsf.run('bstop', [String(id)]);
    expect(await show(id, 'stat')).toBe('RUN');
    await endHook(0);
    await lsf.awaitStatus(id, 'USUSP');
    expect(await lsf.awaitFile('signals')).toBe('ready\n');
    await lsf.writeProgram(`${lsf.home}/go`, '');
    await pause(500);
    expect(await hasStarted()).toBe(false);
    await lsf.run('bresume', [String(id)]);
    await lsf.awaitStatus(id, 'DONE');
    expect(await hasStarted()).toBe(true);
  });

  it('is suspended by bstop where its pre-exec fails, and tried again after bresume', async () => {
    const id = await holdIn('queue');
    await lsf.run('bstop', [String(id)]);
    await endHook(1);
    await lsf.awaitStatus(id, 'PSUSP');
    expect(await show(id, 'exec_host')).toBe('-');
    await endHook(0);
    await lsf.run('bresume', [String(id)]);
    await lsf.awaitStatus(id, 'DONE');
  });

  it('is spared a signal of bkill -s, which ends the job when it is back in the queue', async () => {
    const id = await holdIn('queue');
    await lsf.run('bkill', ['-s', 'TERM', String(id)]);
    await endHook(1);
    await lsf.awaitStatus(id, 'EXIT');
    expect(await lsf.awaitFile('signals')).toBe('ready\n');
  });

  it('shows by bsub -I that it starts when it does, not at each try', async () => {
    const preExec = 'echo >>tries; test $(wc -l <tries) -ge 3';
    const { exitCode, stderr } = await lsf.run('bsub', ['-I', '-E', preExec, 'exit 3']);
    expect(stderr).toMatch(/^<<Waiting for dispatch \.\.\.>>\n<<Starting on node\d>>\n$/);
    expect(exitCode).toBe(3);
  });
});
