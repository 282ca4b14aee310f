import { mkdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startStandin } from '../../support/lsf-standin.ts';
import type { Standin } from '../../support/lsf-standin.ts';

let lsf: Standin;
beforeAll(async () => {
  lsf = await startStandin({ slots: [3, 3, 3] });
});
afterAll(() => lsf[Symbol.asyncDispose]());

/** What `env -0` wrote into a file of the home. */
async function readEnvironment(file: string): Promise<Map<string, string>> {
  const text = await lsf.awaitFile(file, /\0end\n$/);
  return new Map(
    text
      .split('\0')
      .slice(0, -1)
      .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)] as const),
  );
}

describe('a job of the stand-in', () => {
  it('has the recorded environment', async () => {
    const id = await lsf.submit([
      '-n',
      '2',
      '-R',
      'span[hosts=1]',
      '-o',
      'out.%J',
      '-e',
      'err.%J',
      'env -0 > env.%J; echo end >> env.%J',
    ]);
    const env = await readEnvironment('env.%J');
    const host = env.get('HOSTNAME') ?? '';
    const spool = env.get('LSB_JOBFILENAME') ?? '';
    expect(spool).toMatch(new RegExp(`^${lsf.home}/\\.lsbatch/\\d{10}\\.${id}$`));
    expect(Object.fromEntries(env)).toMatchObject({
      LSB_CHKFILENAME: spool,
      LSB_ERRORFILE: `err.${id}`,
      LSB_EXIT_PRE_ABORT: '99',
      LSB_HOSTS: `${host} ${host}`,
      LSB_JOBEXIT_STAT: '0',
      LSB_JOBID: String(id),
      LSB_JOBINDEX: '0',
      LSB_JOBNAME: 'env -0 > env.%J; echo end >> env.%J',
      LSB_MCPU_HOSTS: `${host} 2 `,
      LSB_OUTPUTFILE: `out.${id}`,
      LSB_QUEUE: 'normal',
      LSB_SUB_HOST: 'node1',
      LSB_TRAPSIGS: 'trap # 15 10 12 2 1',
      LSF_EAUTH_CLIENT: 'user',
      LSF_EAUTH_SERVER: 'mbatchd@lsftest',
      LS_EXEC_T: 'START',
      LS_SUBCWD: `${lsf.home}/`,
      VOLCLAVA_VERSION: '22',
    });
    expect(env.get('LS_JOBPID')).toMatch(/^\d+$/);
    expect(env.get('PATH')).toMatch(new RegExp(`^${env.get('LSF_BINDIR')}:`));
    for (const absent of [
      'LSB_DJOB_HOSTFILE',
      'LSB_DJOB_NUMPROC',
      'LSB_INTERACTIVE',
      'LSB_JOBINDEX_STEP',
      'LSB_BATCH_JID',
    ])
      expect(env.has(absent)).toBe(false);
  });

  it('keeps values with line breaks, quotes and nothing in them', async () => {
    await lsf.submit(['env -0 > odd.env; echo end >> odd.env'], { env: { ODD: 'a "b"\n $c\'d ', EMPTY: '' } });
    const env = await readEnvironment('odd.env');
    expect([env.get('ODD'), env.get('EMPTY')]).toEqual(['a "b"\n $c\'d ', '']);
  });

  it('loses the submission environment with -L', async () => {
    await lsf.submit(['-L', '/bin/bash', 'echo "<$APPLICATION>$LSB_JOBID" > login.txt'], { env: { APPLICATION: 'x' } });
    expect(await lsf.awaitFile('login.txt', /\n/)).toMatch(/^<>\d+\n$/);
  });

  it('gets one entry per slot and a blank behind the last pair over three hosts', async () => {
    await lsf.submit(['-n', '3', '-R', 'span[ptile=1]', 'echo "$LSB_HOSTS|$LSB_MCPU_HOSTS|" > three.txt']);
    const [hosts = '', pairs = ''] = (await lsf.awaitFile('three.txt', /\n/)).split('|');
    expect(hosts.split(' ').sort()).toEqual(['node1', 'node2', 'node3']);
    expect(pairs).toBe(
      hosts
        .split(' ')
        .map((host) => `${host} 1 `)
        .join(''),
    );
  });

  it('copies its output and its errors to the files of -o and -e', async () => {
    await lsf.submit(['-o', 'copied.out', '-e', 'copied.err', 'echo to-out; echo to-err >&2; exit 4']);
    expect(await lsf.awaitFile('copied.out', /to-out/)).toContain('Exited with exit code 4.');
    expect(await lsf.awaitFile('copied.err', /./)).toBe('to-err\n');
  });

  it('does not end while a child in the background lives', async () => {
    const id = await lsf.submit(['(sleep 0.7; echo late > late.txt) & exit 0 & true']);
    await lsf.awaitStatus(id, 'DONE');
    expect(await lsf.awaitFile('late.txt')).toBe('late\n');
  });

  it.each([
    ['exit 3', 3],
    ['nosuchprogram', 127],
    ['kill -9 $$', 137],
    ['true', 0],
  ])('ends bsub -K with the status of `%s`', async (command, status) => {
    const { exitCode, stderr } = await lsf.run('bsub', ['-K', command]);
    expect(exitCode).toBe(status);
    expect(stderr).toContain('<<Waiting for dispatch ...>>');
  });

  it('passes streams, status and LSB_INTERACTIVE with -I', async () => {
    const ran = await lsf.run('bsub', ['-I', 'cat; echo $LSB_INTERACTIVE; echo err >&2; exit 3'], { input: 'typed\n' });
    expect(ran.stdout).toMatch(/^Job <\d+> is submitted to default queue <normal>\.\ntyped\nY\n$/);
    expect(ran.stderr).toMatch(/<<Starting on node\d>>\nerr\n$/);
    expect(ran.exitCode).toBe(3);
  });

  it('runs every element of an array under one number', async () => {
    const id = await lsf.submit([
      '-J',
      'arr[1-3:2]',
      '-o',
      'arr.%J.%I',
      'echo $LSB_JOBID $LSB_JOBINDEX $LSB_JOBINDEX_STEP $LSB_JOBINDEX_END $LSB_JOBNAME',
    ]);
    expect(await lsf.awaitFile(`arr.${id}.1`, /arr\[1-3:2\]\n/)).toContain(`\n${id} 1 2 3 arr[1-3:2]\n`);
    expect(await lsf.awaitFile(`arr.${id}.3`, /arr\[1-3:2\]\n/)).toContain(`\n${id} 3 2 3 arr[1-3:2]\n`);
  });

  it("runs the slides' script from standard input over three hosts", async () => {
    await mkdir(`${lsf.home}/bin`);
    await lsf.writeProgram(
      `${lsf.home}/bin/hpc_submit_dockerjob`,
      '#!/bin/sh\nprintf "%s|" "$APPLICATION" "$COMMAND" "$LSB_MCPU_HOSTS" "$0"\n',
    );
    const script = [
      '#!/bin/bash',
      '#BSUB -P IB_testrun_openfoam_8core',
      '#BSUB -J IB_pitzDaily_OF',
      '#BSUB -W 00:05',
      '#BSUB -n 8',
      '#BSUB -o job-%J.out',
      '#BSUB -e job-%J.err',
      '',
      '### exec params',
      'export APPLICATION=openfoam:2.3.0',
      'export COMMAND="mpirun -v -x PATH=\\$PATH simpleFoam -parallel"',
      `${lsf.home}/bin/hpc_submit_dockerjob`,
      '',
    ].join('\n');
    const id = await lsf.submit([], { input: script });
    const output = await lsf.awaitFile(`job-${id}.out`, /hpc_submit_dockerjob\|/);
    const [application = '', command, pairs = ''] = (output.split('follows:\n\n')[1] ?? '').split('|');
    expect([application, command]).toEqual(['openfoam:2.3.0', 'mpirun -v -x PATH=$PATH simpleFoam -parallel']);
    expect(pairs).toMatch(/^(?:node\d [23] ){3}$/);
    const { stdout } = await lsf.run('bjobs', ['-noheader', '-o', 'job_name proj_name queue', String(id)]);
    expect(stdout).toBe('IB_pitzDaily_OF IB_testrun_openfoam_8core normal\n');
  });

  it.each([
    [['-q', 'nope', 'true'], 'nope: No such queue. Job not submitted.\n'],
    [[], 'No command is specified. Job not submitted.\n'],
    [['-n', 'many', 'true'], 'many: Bad processor count. Job not submitted.\n'],
  ])('is refused for %j', async (argv, message) => {
    expect(await lsf.run('bsub', argv)).toEqual({ exitCode: 255, stdout: '', stderr: message });
  });

  it('takes options it does not know for others, as recorded', async () => {
    await lsf.submit(['-app', 'touch', 'misread.txt']);
    expect(await lsf.awaitFile('misread.txt')).toBe('');
  });
});
