import { describe, expect, it } from 'vitest';
import { readTaskEnd } from '../../../src/slurm/read-task-end.ts';

describe('what srun says of a task', () => {
  it.each([
    ['srun: error: node2: task 1: Killed', ['node2'], 'was killed (Killed)'],
    [
      'srun: error: node2: task 1: Segmentation fault (core dumped)',
      ['node2'],
      'was killed (Segmentation fault (core dumped))',
    ],
    ['srun: error: node2: task 0: Exited with exit code 69', ['node2'], 'ended with exit status 69'],
    ['srun: error: node[2-3]: tasks 1-2: Out Of Memory', ['node2', 'node3'], 'was killed (Out Of Memory)'],
    ['srun: error: n1,n[08-09]: tasks 0,2-3: Terminated', ['n1', 'n08', 'n09'], 'was killed (Terminated)'],
    [
      'srun: error: Task launch for StepId=12.0 failed on node node2: Communication connection failure',
      ['node2'],
      'could not be started (Communication connection failure)',
    ],
    ['srun: error: Node failure on node3', ['node3'], 'is lost (node failure)'],
  ])('%s', (line, hosts, how) => expect(readTaskEnd(line)).toEqual({ hosts, how }));

  it.each([
    ['1', 'SIGUSR1'],
    ['2', 'SIGUSR2'],
  ])('that it was ended by a signal for the command: %s', (number, signal) => {
    const how = `User defined signal ${number}`;
    const end = { hosts: ['node2'], how: `was killed (${how})`, signal };
    expect(readTaskEnd(`srun: error: node2: task 1: ${how}`)).toEqual(end);
  });

  it.each([
    '',
    ' srun: error: node2: task 1: Killed',
    'srun: error: node2: task 1: Killed\u001b[2J',
    'srun: node2: task 1: Killed',
    'srun: error: node2: task x: Killed',
    'srun: error: node[2: task 1: Killed',
    'srun: error: node[1-99999999999]: tasks 1-2: Killed',
    'srun: error: Unable to create step for job 12: Job/step already completing or completed',
    'srun: Job step aborted: Waiting up to 32 seconds for job step to finish.',
    'slurmstepd: error: *** STEP 12.0 ON node1 CANCELLED AT 2026-11-28T17:00:00 ***',
  ])('nothing of one: %j', (line) => expect(readTaskEnd(line)).toBeUndefined());
});
