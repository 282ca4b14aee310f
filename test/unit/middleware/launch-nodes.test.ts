import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { launchNodes } from '../../../src/middleware/launch-nodes.ts';
import type { LauncherEnd } from '../../../src/middleware/launch-nodes.ts';
import type { HostsEnd } from '../../../src/contract/helper-events.ts';

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

  it('gives its output to streams that stay open, all of it before it counts as ended', async () => {
    const output = { stdout: new PassThrough(), stderr: new PassThrough() };
    const launched = launchNodes(shell('head -c 300000 /dev/zero | tr "\\0" o; echo e >&2'), undefined, output);
    launched.adopt();
    let read = 0;
    for await (const piece of output.stdout as AsyncIterable<Buffer>) {
      read += piece.length;
      if (read === 300_000) break;
    }
    expect(await launched.ended).toEqual({ status: 0, said: 'e\n' });
    expect(String(output.stderr.read())).toBe('e\n');
    expect(output.stderr.writableEnded).toBe(false);
  });

  it('that says much is remembered by the end of it', async () => {
    const { said } = await launchNodes(shell('head -c 9000 /dev/zero | tr "\\0" x >&2; echo over >&2')).ended;
    expect([said.length, said.slice(-6)]).toEqual([2000, 'xover\n']);
  });
});

describe('at the end of the job a launcher', () => {
  const graces = { finishMs: 400, abandonMs: 200 };
  /** Milliseconds that it took. */
  const finish = async (script: string, hosts: HostsEnd): Promise<{ ms: number; end: LauncherEnd }> => {
    const launched = launchNodes(shell(script), graces);
    await new Promise((resolve) => setTimeout(resolve, 150)); // until the shell has set its traps
    const startedAt = performance.now();
    await launched.finish(hosts);
    return { ms: performance.now() - startedAt, end: await launched.ended };
  };

  it('that has output to deliver gets all the time it needs, where every host is done', async () => {
    const { ms, end } = await finish('sleep 1; exit 5', 'done');
    expect(end.status).toBe(5);
    expect(ms).toBeGreaterThan(700);
  });

  it('whose host hangs is ended after a while', async () => {
    const { ms, end } = await finish('exec sleep 20', 'unsure');
    expect(end.status).toBe(143);
    expect(ms).toBeGreaterThan(350);
    expect(ms).toBeLessThan(5000);
  });

  it('whose hosts could not be told is told at once, and waited for while they clean up', async () => {
    const { ms, end } = await finish(`trap 'kill $!; sleep 0.3; exit 6' TERM; sleep 20 & wait`, 'untold');
    expect(end.status).toBe(6);
    expect(ms).toBeGreaterThan(250);
    expect(ms).toBeLessThan(5000);
  });

  it('whose hosts could not be told is killed when they do not end', async () => {
    const { end } = await finish('trap "" TERM; exec sleep 20', 'untold');
    expect(end.status).toBe(143);
  });
});
