import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readTaskEnd as readTaskEndOfSlurm } from '../../../src/slurm/read-task-end.ts';
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
    const launched = launchNodes(shell('head -c 300000 /dev/zero | tr "\\0" o; echo e >&2'), { output });
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

  it('of many hosts says nothing of its own about them', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on('warning', note);
    const output = { stdout: new PassThrough(), stderr: new PassThrough() };
    const launched = launchNodes(
      Array.from({ length: 15 }, () => shell('echo out; echo err >&2')),
      { output },
    );
    launched.adopt();
    await launched.ended;
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });

  it('that says much is remembered by the end of it', async () => {
    const { said } = await launchNodes(shell('head -c 9000 /dev/zero | tr "\\0" x >&2; echo over >&2')).ended;
    expect([said.length, said.slice(-6)]).toEqual([2000, 'xover\n']);
  });
});

describe('at the end of the job a launcher', () => {
  const graces = { finishMs: 400, abandonMs: 200, buryMs: 300, silentMs: 1000, readerMs: 60_000 };
  /** Milliseconds that it took. */
  const finish = async (script: string, hosts: HostsEnd): Promise<{ ms: number; end: LauncherEnd }> => {
    const launched = launchNodes(shell(script), { graces });
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

  it('that does not end although every host is done is ended once no byte moves', async () => {
    const { ms, end } = await finish('trap "" TERM; sleep 60', 'done');
    expect(end).toMatchObject({ status: 137, signal: 'SIGKILL' });
    expect(ms).toBeGreaterThan(900);
    expect(ms).toBeLessThan(10_000);
  });

  it('that leaves its streams to another process is waited for no longer than that', async () => {
    const { ms } = await finish('setsid sleep 8 & exec sleep 60', 'done');
    expect(ms).toBeLessThan(7000);
  });

  it('whose output is read slowly gets all of it through, however long nothing is taken', async () => {
    const output = { stdout: new PassThrough(), stderr: new PassThrough() };
    const launched = launchNodes(shell('head -c 1000000 /dev/zero; exit 4'), { graces, output });
    const finished = launched.finish('done');
    await new Promise((resolve) => setTimeout(resolve, 2 * graces.silentMs));
    let read = 0;
    output.stdout.on('data', (piece: Buffer) => (read += piece.length));
    expect(await finished).toBe('ended');
    expect([(await launched.ended).status, read]).toEqual([4, 1_000_000]);
  });

  it('whose output nobody takes at all is ended all the same', async () => {
    const output = { stdout: new PassThrough(), stderr: new PassThrough() };
    const unread = { ...graces, readerMs: 1000 };
    const launched = launchNodes(shell('head -c 1000000 /dev/zero; exit 4'), { graces: unread, output });
    expect(await launched.finish('done')).toBe('unread');
  });

  it('whose hosts could not be told is told at once, and waited for while they clean up', async () => {
    const { ms, end } = await finish(`trap 'kill $!; sleep 0.3; exit 6' TERM; sleep 20 & wait`, 'untold');
    expect(end.status).toBe(6);
    expect(ms).toBeGreaterThan(250);
    expect(ms).toBeLessThan(5000);
  });

  it('whose hosts could not be told is killed when they do not end', async () => {
    const { end } = await finish('trap "" TERM; exec sleep 20', 'untold');
    expect(end).toMatchObject({ status: 137, signal: 'SIGKILL' });
  });
});

describe('a task that ends before the command has begun', () => {
  const readTaskEnd = (line: string) =>
    line.startsWith('gone ') ? { hosts: [line.slice(5)], how: 'is gone' } : undefined;

  it('is told with what was said by then, and before the end of the launcher', async () => {
    const told: unknown[] = [];
    const script = shell('echo why >&2; printf "gone no" >&2; sleep 0.1; echo "de2" >&2; echo later >&2; exit 1');
    const launched = launchNodes(script, { readTaskEnd, onTaskEnd: (end, said) => told.push(end, said) });
    await launched.ended.then(() => told.push('ended'));
    expect(told).toEqual([{ hosts: ['node2'], how: 'is gone' }, 'why\ngone node2\nlater\n', 'ended']);
  });

  it('is known by the end of its own launcher, where each host has one', async () => {
    const told: unknown[] = [];
    const commands = [
      { ...shell('exit 3'), host: 'node1' },
      { ...shell('kill -KILL $$'), host: 'node2' },
    ];
    await launchNodes(commands, { onTaskEnd: (end) => told.push(end) }).ended;
    expect(told).toEqual([
      { hosts: ['node1'], how: 'ended with exit status 3' },
      { hosts: ['node2'], how: 'was killed (SIGKILL)' },
    ]);
  });

  it('is not looked for any more once the command may write such words itself', async () => {
    const told: unknown[] = [];
    const launched = launchNodes(shell('sleep 0.3; echo gone node2 >&2'), {
      readTaskEnd,
      onTaskEnd: (end) => told.push(end),
    });
    launched.distrustWords();
    await launched.ended;
    expect(told).toEqual([]);
  });

  it('is still told then where the kernel has killed it for want of memory: a later loss is explained by it', async () => {
    const told: unknown[] = [];
    const launched = launchNodes(shell('sleep 0.3; echo "srun: error: node2: task 1: Out Of Memory" >&2'), {
      readTaskEnd: readTaskEndOfSlurm,
      onTaskEnd: (end) => told.push(end),
    });
    launched.distrustWords();
    await launched.ended;
    expect(told).toEqual([{ hosts: ['node2'], how: 'was killed (Out Of Memory)' }]);
  });
});

describe('a task that a signal for the command has ended before the command has begun', () => {
  const readTaskEnd = (line: string) =>
    line === 'node1: signal 2' ? ({ hosts: ['node1'], how: 'was killed', signal: 'SIGUSR2' } as const) : undefined;
  /** Starts a launcher whose first tries end so; gives what was told of them, and its end. */
  const launchAgain = async (first: object, again: readonly string[]) => {
    const told: unknown[] = [];
    const rest = [...again];
    const launched = launchNodes(first as ReturnType<typeof shell>, {
      readTaskEnd,
      onTaskEnd: (end) => told.push(end),
      startAgain: (host, signal) => {
        told.push(`${host} ${signal}`);
        const script = rest.shift();
        return script === undefined ? undefined : { ...first, ...shell(script) };
      },
    });
    return { told, end: await launched.ended };
  };
  const killed = 'echo "node1: signal 2" >&2; exit 140';

  it('is started again, as often as need be, and its launcher has ended when the last one has', async () => {
    const { told, end } = await launchAgain(shell(killed), [killed, 'sleep 0.5; echo "last words" >&2']);
    expect(told).toEqual(['node1 SIGUSR2', 'node1 SIGUSR2']);
    expect(end.said).toMatch(/last words\n$/);
  });

  it('is told as any other when it is not started again', async () => {
    const { told } = await launchAgain(shell(killed), []);
    expect(told).toEqual(['node1 SIGUSR2', { hosts: ['node1'], how: 'was killed', signal: 'SIGUSR2' }]);
  });

  it('is known by the end of its own launcher, where each host has one', async () => {
    const { told } = await launchAgain({ ...shell('kill -USR1 $$'), host: 'node2' }, ['exit 0']);
    expect(told).toEqual(['node2 SIGUSR1', { hosts: ['node2'], how: 'ended with exit status 0' }]);
  });
});

describe('a launcher in a process group of its own', () => {
  it.each([
    [true, 'its own'],
    [false, 'ours'],
  ])('(%s) has %s', async (hasOwnGroup, expected) => {
    const output = { stdout: new PassThrough(), stderr: new PassThrough() };
    const command = { ...shell('ps -o pgid= -p $$; echo $$'), hasOwnGroup };
    await launchNodes(command, { output }).ended;
    const [group, own] = String(output.stdout.read()).trim().split(/\s+/);
    expect(group === own ? 'its own' : 'ours').toBe(expected);
  });
});

describe('a launcher that is kept apart from its job', () => {
  const apart = (script: string) => ({ ...shell(script), isApart: true });
  const facts = 'ps -o ppid=,pgid=,sid= -p $PPID';

  it('has a session of its own and is no descendant of this program, so signals to its job do not find it', async () => {
    const output = { stdout: new PassThrough(), stderr: new PassThrough() };
    const launched = launchNodes(apart(`${facts}; ps -o sid= -p ${process.pid}`), { output });
    expect((await launched.ended).status).toBe(0);
    const [parent, group, session, own] = String(output.stdout.read()).trim().split(/\s+/);
    expect(Number(parent)).not.toBe(process.pid);
    expect(session).toBe(group);
    expect(session).not.toBe(own);
  });

  it.each([
    ['exit 9', { status: 9 }],
    ['kill -KILL $$', { status: 137, signal: 'SIGKILL' }],
    ['echo lost >&2; exit 0', { status: 0, said: 'lost\n' }],
    ['for signal in HUP INT USR1 USR2 TSTP; do kill -s $signal $$; done; exit 3', { status: 3, said: '' }],
  ])('of %j tells how it ended, and nothing else of it', async (script, end) => {
    expect(await launchNodes(apart(script)).ended).toEqual({ said: '', ...end });
  });

  it('that is missing has status 127, and the shell says so', async () => {
    const { status, said } = await launchNodes({ ...apart(''), file: '/nowhere/lsrun' }).ended;
    expect(status).toBe(127);
    expect(said).toContain('/nowhere/lsrun');
  });

  it('is ended by TERM, and by KILL when it does not end', async () => {
    const calm = launchNodes(apart('exec sleep 20'));
    await calm.abandon();
    expect(await calm.ended).toMatchObject({ signal: 'SIGTERM' });
    const deaf = launchNodes(apart('trap "" TERM; exec sleep 20'), {
      graces: { finishMs: 100, abandonMs: 200, buryMs: 2000, silentMs: 8000, readerMs: 8000 },
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await deaf.abandon();
    expect(await deaf.ended).toMatchObject({ signal: 'SIGKILL' });
  });
});
