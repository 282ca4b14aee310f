import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { passCommandSignals } from '../../../src/discovery/launch/pass-command-signals.ts';
import { ProcessGroup } from '../../../src/discovery/launch/process-group.ts';

/** A shell that runs the text, with what it says and how it ends. */
function startShell(text: string) {
  const group = new ProcessGroup('/bin/sh', ['-c', text], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  group.child.stdout?.on('data', (bytes: Buffer) => (said += bytes.toString()));
  const ended = once(group.child, 'close').then(([status, signal]: unknown[]) => ({ said, end: signal ?? status }));
  return { group, ended };
}

describe('passCommandSignals', () => {
  it('holds a signal until the command listens, and gives several as one', async () => {
    const { group, ended } = startShell(
      'sleep 0.3; trap "echo one" USR1; trap "echo two; exit 3" USR2; while :; do sleep 0.1; done',
    );
    const pass = passCommandSignals(group, 20_000);
    for (const signal of ['SIGUSR1', 'SIGUSR1', 'SIGUSR2'] as const) pass(signal);
    expect(await ended).toEqual({ said: 'one\ntwo\n', end: 3 });
  });

  it('gives each at once to a command that listens', async () => {
    const { group, ended } = startShell('trap "echo got" USR1; echo up; for i in 1 2 3 4; do sleep 0.2; done');
    const pass = passCommandSignals(group, 0);
    await once(group.child.stdout!, 'data');
    pass('SIGUSR1');
    await pause(300);
    pass('SIGUSR1');
    expect(await ended).toEqual({ said: 'up\ngot\ngot\n', end: 0 });
  });

  it('ends a command that does not listen in time, as any signal would', async () => {
    const { group, ended } = startShell('exec sleep 20');
    passCommandSignals(group, 300)('SIGUSR1');
    expect(await ended).toEqual({ said: '', end: 'SIGUSR1' });
  });

  it('forgets a signal for a command that has ended', async () => {
    const { group, ended } = startShell('sleep 0.1');
    passCommandSignals(group)('SIGUSR2');
    expect(await ended).toEqual({ said: '', end: 0 });
  });
});
