import { describe, expect, it } from 'vitest';
import { launchNodes } from '../../../src/middleware/launch-nodes.ts';

const shell = (script: string) => ({ file: '/bin/sh', argv: ['-c', script], environment: {} });

describe('a launcher', () => {
  it('that ends says with which status and its last words, also when they are not shown', async () => {
    const launched = launchNodes(shell('echo "cannot reach node2" >&2; exit 3'));
    expect(await launched.ended).toEqual({ status: 3, said: 'cannot reach node2\n' });
  });

  it('of several gives the words of all and the first status that is not 0', async () => {
    const { status, said } = await launchNodes([shell('exit 0'), shell('echo lost >&2; exit 4')]).ended;
    expect([status, said]).toEqual([4, 'lost\n']);
  });

  it('that says much is remembered by the end of it', async () => {
    const { said } = await launchNodes(shell('head -c 9000 /dev/zero | tr "\\0" x >&2; echo over >&2')).ended;
    expect([said.length, said.slice(-6)]).toEqual([2000, 'xover\n']);
  });
});
