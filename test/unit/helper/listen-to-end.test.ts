import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isForsaken, listenToEnd } from '../../../src/helper/node/listen-to-end.ts';

const module = fileURLToPath(new URL('../../../src/helper/node/listen-to-end.ts', import.meta.url));

describe('listenToEnd', () => {
  it.each([
    ['SIGTERM', 'TERMINATED'],
    ['SIGHUP', 'TERMINATED'],
    ['SIGINT', 'INTERRUPTED'],
  ] as const)('hears %s', (signal, code) => {
    using end = listenToEnd();
    expect(end.told.aborted).toBe(false);
    process.emit(signal, signal);
    expect(end.told.reason).toMatchObject({ code });
  });

  it('hears nothing any more once it is disposed', () => {
    const end = listenToEnd();
    end[Symbol.dispose]();
    process.emit('SIGTERM');
    expect(end.told.aborted).toBe(false);
  });

  it.each([
    ['parent', '"$@" & wait'],
    ['parent of its parent', '(trap "" TERM; "$@"; true) & wait'],
  ])('notices that the %s was killed, of which nobody says anything', async (_, command) => {
    const script = `import { isForsaken, listenToEnd } from '${module}';
      const { told } = listenToEnd();
      console.log('listens');
      const alive = setInterval(() => undefined, 1000);
      told.addEventListener('abort', () => { console.log(told.reason.code); clearInterval(alive); });`;
    const argv = ['-c', command, 'sh', process.execPath, '--input-type=module-typescript', '--eval', script];
    const parent = spawn('/bin/sh', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void parent.kill('SIGKILL'));
    const output = parent.stdout.setEncoding('utf8');
    expect(await once(output, 'data')).toEqual(['listens\n']);
    parent.kill('SIGKILL');
    expect(await once(output, 'data')).toEqual(['NODE_LOST\n']);
  });
});

describe('a process', () => {
  it.each([
    [1, '1 (systemd) S 0 1 1', true],
    [500, '500 (sudo) S 1 500 400', true],
    [500, '500 (sudo) S 400 500 400', false],
    [500, '500 (slurmstepd) S 1 500 500', false],
    [500, '500 (x) (sudo) S 1 500 500', false],
    [500, '', false],
  ])('of parent %i with "%s" has nobody left to work for: %s', (parent, stat, isIt) => {
    expect(isForsaken(parent, stat)).toBe(isIt);
  });
});
