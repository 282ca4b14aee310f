import { access } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startStandin } from '../../support/lsf-standin.ts';
import type { Standin } from '../../support/lsf-standin.ts';

let lsf: Standin;
beforeAll(async () => {
  const note = (name: string): string => `echo ${name} $LSB_JOBEXIT_STAT >> $LS_SUBCWD/order.txt`;
  lsf = await startStandin({
    queues: {
      hooks: `PRE_EXEC = ${note('queue-pre')}\nPOST_EXEC = ${note('queue-post')}`,
      place: 'PRE_EXEC = echo "$PWD|$PATH|$HOME|$LSB_JOBFILENAME|$MINE" > $LS_SUBCWD/place.txt',
      aborting: 'PRE_EXEC = exit 99',
      failing: `PRE_EXEC = ${note('try')}; test -e $LS_SUBCWD/may-start\nPOST_EXEC = ${note('post-of-failed')}`,
      starter: 'JOB_STARTER = STARTED=yes /usr/bin/env',
      requeue: `REQUEUE_EXIT_VALUES = 99\nPOST_EXEC = ${note('requeue-post$LSB_JOBPEND')}`,
    },
  });
  const eexec = `#!/bin/sh\nread words\necho "eexec-$LS_EXEC_T <$words> $LSB_JOBEXIT_STAT" >> "$LS_SUBCWD/order.txt"\n`;
  await lsf.writeProgram(`${lsf.serverdir}/eexec`, eexec);
  await lsf.writeProgram(`${lsf.serverdir}/esub.talk`, '#!/bin/sh\necho told by esub\n');
});
afterAll(() => lsf[Symbol.asyncDispose]());

describe('the hooks of queue and job', () => {
  it('run in the recorded order and see the wait status', async () => {
    const job = [
      '-q',
      'hooks',
      '-a',
      'talk',
      '-E',
      'echo job-pre >> order.txt',
      '-Ep',
      'echo job-post $LSB_JOBEXIT_STAT >> order.txt',
    ];
    const id = await lsf.submit([...job, 'echo job >> order.txt; exit 4']);
    expect(await lsf.awaitFile('order.txt', /queue-post/)).toBe(
      [
        'eexec-START <told by esub> 0',
        'queue-pre 0',
        'job-pre',
        'job',
        'eexec-END <> 1024',
        'job-post 1024',
        'queue-post 1024',
        '',
      ].join('\n'),
    );
    await lsf.awaitStatus(id, 'EXIT');
  });

  it('of a queue run in /tmp with a fixed PATH, without HOME, with the environment of the user', async () => {
    await lsf.submit(['-q', 'place', 'true'], { env: { MINE: 'my own' } });
    expect(await lsf.awaitFile('place.txt', /\n/)).toMatch(
      /^\/tmp\|\/bin:\/usr\/bin:\/sbin:\/usr\/sbin\|\|\.lsbatch\/\d+\.\d+\|my own\n$/,
    );
  });

  it.each([
    ['queue', ['-q', 'aborting']],
    ['job', ['-E', 'exit 99']],
  ])('of the %s cancel the job by status 99', async (_, argv) => {
    const { exitCode } = await lsf.run('bsub', ['-K', ...argv, 'touch started.txt']);
    expect(exitCode).toBe(99);
    await expect(access(`${lsf.home}/started.txt`)).rejects.toThrow('ENOENT');
  });

  it('of a queue send the job back until they succeed, without a post-exec', async () => {
    const id = await lsf.submit(['-q', 'failing', 'true']);
    await lsf.awaitFile('order.txt', /try 0\n[^]*try 0\n/);
    const reason = "The queue's pre-exec command exited with non-zero status: 1 host";
    // Between two tries: it is RUN during each.
    await expect
      .poll(async () => (await lsf.run('bjobs', ['-l', String(id)])).stdout, { timeout: 15_000 })
      .toContain(reason);
    expect(await lsf.awaitFile('order.txt')).not.toContain('post-of-failed');
    await lsf.writeProgram(`${lsf.home}/may-start`, '');
    await lsf.awaitStatus(id, 'DONE');
  });
});

describe('PREEXEC_EXCLUDE_HOST_EXIT_VALUES', () => {
  const preExec = 'PRE_EXEC = case $LSB_HOSTS in node1*) exit 69;; esac';
  const params = 'MBD_SLEEP_TIME=0.2\nPREEXEC_EXCLUDE_HOST_EXIT_VALUES=68 69\n';

  it('has the job tried on another host, as IBM documents', async () => {
    await using ibm = await startStandin({ queues: { picky: preExec }, conf: 'STANDIN_LIKE=ibm', params });
    const ids = [await ibm.submit(['-q', 'picky', 'true']), await ibm.submit(['-q', 'picky', 'true'])];
    for (const id of ids) await ibm.awaitStatus(id, 'DONE');
  });

  it('is not known to the recorded system, which tries the same host again', async () => {
    await using plain = await startStandin({ slots: [2, 1], queues: { picky: preExec }, params });
    const id = await plain.submit(['-q', 'picky', '-n', '2', '-R', 'span[hosts=1]', 'true']);
    await plain.awaitStatus(id, 'PEND');
    expect((await plain.run('bjobs', ['-l', String(id)])).stdout).not.toContain('DONE');
    const free = await plain.submit(['-q', 'picky', '-m', 'node2', 'true']);
    await plain.awaitStatus(free, 'DONE');
    await plain.awaitStatus(id, 'PEND');
  });
});

describe('JOB_STARTER', () => {
  it.each([
    [
      'puts only the first command under the starter and keeps its quotes',
      'echo "$STARTED hi  there"; echo "<$STARTED>"',
      ' hi  there\n<>\n',
    ],
    ['leaves a job alone that names the starter', 'sh -c "echo \\"<\\$STARTED>\\"" # STARTED=yes /usr/bin/env', '<>\n'],
    ['starts the command', 'sh -c "echo \\$STARTED"', 'yes\n'],
  ])('%s', async (name, command, output) => {
    const file = `starter-${name.length}.out`;
    await lsf.submit(['-q', 'starter', '-o', file, command]);
    const text = await lsf.awaitFile(file, /follows:\n\n[^]*\n/);
    expect(text.split('follows:\n\n')[1]).toBe(output);
  });

  it('starts the stored script of standard input', async () => {
    await lsf.submit(['-q', 'starter', '-o', 'script.out'], { input: 'echo "$STARTED $0"\n' });
    expect(await lsf.awaitFile('script.out', /yes .*\.lsbatch.*\.shell\n/)).toContain('Done');
  });
});

describe('REQUEUE_EXIT_VALUES', () => {
  it('sends the job back, after its post-exec, without the output of the failed try', async () => {
    const command = 'if [ -e again ]; then echo second; else touch again; echo first; exit 99; fi';
    const id = await lsf.submit(['-q', 'requeue', '-o', 'requeue.out', command]);
    await lsf.awaitStatus(id, 'DONE');
    const output = await lsf.awaitFile('requeue.out', /second\n$/);
    expect(output.split('follows:\n\n')[1]).toBe('second\n');
    expect(await lsf.awaitFile('order.txt', /requeue-post 0/)).toMatch(/requeue-postY 25344\n[^]*requeue-post 0\n/);
  });
});
