import { describe, expect, it } from 'vitest';
import { requireJobKey } from '../../../src/contract/job-key.ts';
import { startAgain } from '../../../src/middleware/start-again.ts';
import type { Allocation, LaunchCommand } from '../../../src/ports/scheduler.ts';

const allocation: Allocation = {
  scheduler: 'slurm',
  schedulerJobId: '12',
  job: requireJobKey('12'),
  hosts: [
    { name: 'n1', slots: 1 },
    { name: 'n2', slots: 1 },
  ],
};
const command = (file: string, host?: string): LaunchCommand => ({
  ...{ file, argv: [], environment: {} },
  ...(host === undefined ? {} : { host }),
});

function build(commands: LaunchCommand | readonly LaunchCommand[], own = true) {
  const told: string[] = [];
  const scheduler = own ? { launchOnHost: (_: Allocation, host: string) => command(`on ${host}`) } : {};
  const tell = { forward: (signal: string) => told.push(signal), say: (text: string) => told.push(text) };
  return { again: startAgain(scheduler, allocation, commands, ['x'], tell), told };
}

describe('startAgain', () => {
  it('starts the host anew, says so, and passes the signal on where the first host has lost it', () => {
    const { again, told } = build(command('all'));
    expect(again('n1', 'SIGUSR2')).toEqual(command('on n1'));
    expect(again('n2', 'SIGUSR1')).toEqual(command('on n2'));
    expect(told).toEqual([
      'SIGUSR2',
      'note      SIGUSR2 came while n1 was being started; it is started again',
      'note      SIGUSR1 came while n2 was being started; it is started again',
    ]);
  });

  it('uses the command of the host where each has one', () => {
    const { again } = build([command('a', 'n1'), command('b', 'n2')], false);
    expect(again('n2', 'SIGUSR1')).toEqual(command('b', 'n2'));
  });

  it.each(['n3', ''])('starts nothing on %j, which is no host of the job', (host) => {
    const { again, told } = build(command('all'));
    expect([again(host, 'SIGUSR1'), told]).toEqual([undefined, []]);
  });

  it('gives a host up in the end, and no other for it', () => {
    const { again } = build(command('all'));
    const tries = Array.from({ length: 30 }, () => again('n1', 'SIGUSR1')).filter((each) => each !== undefined);
    expect(tries).toHaveLength(20);
    expect(again('n2', 'SIGUSR1')).toBeDefined();
  });

  it('starts nothing where no command is known', () => {
    const { again, told } = build(command('all'), false);
    expect([again('n1', 'SIGUSR1'), told]).toEqual([undefined, []]);
  });
});
