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

it('shows how far the hosts are that fetch the image, in lines only now and then', () => {
  const fetching = (bytes: number): HelperEvent => ({
    event: 'fetching',
    hosts: [
      { host: 'c1', bytes, total: 2 ** 20 },
      { host: 'c2', bytes: 2 ** 20, total: 2 ** 20 },
    ],
  });
  const steps = [fetching(0), fetching(2 ** 19), fetching(2 ** 20)];
  const first =
    'hpc-submit-dockerjob fetching  the image comes from its registry (1 MiB), 1 of 2 hosts have it: c1 0 %, c2 100 %';
  const last =
    'hpc-submit-dockerjob fetching  the image comes from its registry (1 MiB), 2 of 2 hosts have it: c1 100 %, c2 100 %';
  expect(writtenTo(false, steps)).toEqual([`${first}\n`, `${last}\n`]);
  expect(writtenTo(true, steps).at(1)).toBe(
    `\r\u001b[Khpc-submit-dockerjob … ${first.replace('hpc-submit-dockerjob ', '').replace('c1 0', 'c1 50')}`,
  );
});
