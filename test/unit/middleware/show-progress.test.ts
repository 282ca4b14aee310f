import { expect, it } from 'vitest';
import type { HelperEvent } from '../../../src/contract/helper-events.ts';
import { showProgress } from '../../../src/middleware/show-progress.ts';

/** Texts as a terminal gets them, the seconds left out; the command writes where the list says so. */
function writtenTo(isTerminal: boolean, steps: readonly (HelperEvent | string)[]): readonly string[] {
  const written: string[] = [];
  const target = { isTerminal, write: (text: string) => void written.push(text.replace(/ +\d+\.\d\d s {2}/, ' ')) };
  const progress = showProgress(target, { isQuiet: false, startedAtMs: performance.now() });
  for (const step of steps) {
    if (typeof step === 'string') written.push(step);
    else progress.show(step);
  }
  return written;
}

const steps: readonly (HelperEvent | string)[] = [
  { event: 'node', index: 0, host: 'c1', phase: 'creating' },
  { event: 'node', index: 0, host: 'c1', phase: 'ready' },
  { event: 'ready' },
  { event: 'node', index: 0, host: 'c1', phase: 'running' },
  'a line without an end',
  { event: 'finished', end: { by: 'command', exitStatus: 0 } },
];

it('shows on a terminal how nodes start, and leaves alone what the command writes there', () => {
  const erase = '\r\u001b[K';
  expect(writtenTo(true, steps)).toEqual([
    `${erase}hpc-submit-dockerjob … of 0 nodes: 1 creating`,
    `${erase}hpc-submit-dockerjob … of 0 nodes: 1 ready`,
    `${erase}hpc-submit-dockerjob ready     the command starts\n`,
    'a line without an end',
    'hpc-submit-dockerjob finished  the command ended with status 0\n',
  ]);
});

it('writes one line for each phase into a file', () => {
  expect(writtenTo(false, steps)).toEqual([
    'hpc-submit-dockerjob ready     the command starts\n',
    'a line without an end',
    'hpc-submit-dockerjob finished  the command ended with status 0\n',
  ]);
});
