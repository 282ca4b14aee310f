import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startStandin } from '../../support/lsf-standin.ts';
import type { Standin } from '../../support/lsf-standin.ts';

let lsf: Standin;
beforeAll(async () => {
  lsf = await startStandin({
    slots: [4, 4],
    queues: {
      signals: 'JOB_CONTROLS = SUSPEND[SIGUSR1] RESUME[SIGUSR2] TERMINATE[SIGTERM]',
      commands: 'JOB_CONTROLS = SUSPEND[echo "$LS_EXEC_T $LSB_SUSP_REASONS $PWD" > suspended.txt]',
      limited: 'RUNLIMIT = 1',
    },
  });
});
afterAll(() => lsf[Symbol.asyncDispose]());

/** A job that writes every signal it gets and ends only when it is told. A shell would lose one of two that come together. */
function recorder(file: string): string {
  const program = [
    'sub note { open my $f, ">>", $ARGV[0]; print $f "$_[0]\\n" }',
    'for my $name (qw(INT TERM USR1 USR2 TSTP CONT)) { $SIG{$name} = sub { note($name) } }',
    'note("ready")',
    'until (-e "$ARGV[0].end") { select undef, undef, undef, 0.05 }',
    'note("over")',
  ];
  return `perl -e '${program.join('; ')}' ${file}`;
}

async function startRecorder(file: string, argv: readonly string[] = []): Promise<number> {
  const id = await lsf.submit([...argv, recorder(file)]);
  await lsf.awaitFile(file, /ready/);
  return id;
}

describe('bkill', () => {
  it('ends a sleeping job by INT: status 130', async () => {
    const id = await lsf.submit(['-o', 'killed.out', 'sleep 60']);
    await lsf.awaitStatus(id, 'RUN');
    const ran = await lsf.run('bkill', [String(id)]);
    expect(ran.stdout).toBe(`Job <${id}> is being terminated\n`);
    await lsf.awaitStatus(id, 'EXIT');
    expect((await lsf.run('bjobs', ['-l', String(id)])).stdout).toContain('Exited with exit code 130.');
  });

  it('sends CONT and INT, then TERM, then KILL: status 137', async () => {
    const id = await startRecorder('stubborn.txt');
    await lsf.run('bkill', [String(id)]);
    await lsf.awaitStatus(id, 'EXIT');
    const signals = (await lsf.awaitFile('stubborn.txt')).trim().split('\n');
    expect(signals.filter((name) => name !== 'CONT')).toEqual(['ready', 'INT', 'TERM']);
    expect((await lsf.run('bjobs', ['-l', String(id)])).stdout).toContain('Exited with exit code 137.');
  });

  it('reaches a child in a session of its own once that was seen', async () => {
    const id = await lsf.submit(['-o', 'stray.out', `setsid ${recorder('stray.txt')} & wait`]);
    await lsf.awaitFile('stray.txt', /ready/);
    await pause(600);
    await lsf.run('bkill', [String(id)]);
    await lsf.awaitFile('stray.txt', /INT/);
    await lsf.awaitStatus(id, 'EXIT', 'DONE');
    // It heeds no signal but KILL, which comes to the job's own group alone.
    await lsf.writeProgram(`${lsf.home}/stray.txt.end`, '');
    await lsf.awaitFile('stray.txt', /over/);
  });

  it('sends one signal alone with -s', async () => {
    const id = await startRecorder('one.txt');
    expect((await lsf.run('bkill', ['-s', 'USR1', String(id)])).stdout).toBe(`Job <${id}> is being signaled\n`);
    expect(await lsf.awaitFile('one.txt', /USR1/)).toBe('ready\nUSR1\n');
    await lsf.writeProgram(`${lsf.home}/one.txt.end`, '');
    await lsf.awaitStatus(id, 'DONE');
  });

  it('removes a job that waits', async () => {
    const id = await lsf.submit(['-H', 'true']);
    await lsf.awaitStatus(id, 'PSUSP');
    await lsf.run('bkill', [String(id)]);
    await lsf.awaitStatus(id, 'EXIT');
  });

  it.each([
    ['999', 'Job <999>: No matching job found\n'],
    ['x', 'x: Illegal job ID.\n'],
  ])('refuses %s', async (job, stderr) => {
    expect(await lsf.run('bkill', [job])).toEqual({ exitCode: 255, stdout: '', stderr });
  });
});

describe('bstop and bresume', () => {
  it('stop a job of one slot by a signal that it cannot catch', async () => {
    const id = await startRecorder('stopped.txt');
    await lsf.run('bstop', [String(id)]);
    await lsf.awaitStatus(id, 'USUSP');
    await lsf.run('bresume', [String(id)]);
    await lsf.awaitStatus(id, 'RUN');
    expect(await lsf.awaitFile('stopped.txt', /CONT/)).not.toContain('TSTP');
    await lsf.run('bkill', ['-s', 'KILL', String(id)]);
  });

  it('tell a parallel job by TSTP and CONT', async () => {
    const id = await startRecorder('parallel.txt', ['-n', '2']);
    await lsf.run('bstop', [String(id)]);
    await lsf.awaitFile('parallel.txt', /TSTP/);
    await lsf.run('bresume', [String(id)]);
    await lsf.awaitFile('parallel.txt', /CONT/);
    await lsf.run('bkill', ['-s', 'KILL', String(id)]);
  });

  it('send what JOB_CONTROLS names instead, once', async () => {
    const id = await startRecorder('controls.txt', ['-q', 'signals']);
    await lsf.run('bstop', [String(id)]);
    await lsf.awaitFile('controls.txt', /USR1/);
    await lsf.run('bresume', [String(id)]);
    await lsf.awaitFile('controls.txt', /USR2/);
    await lsf.run('bkill', [String(id)]);
    await lsf.awaitFile('controls.txt', /TERM/);
    await lsf.run('bkill', ['-s', 'KILL', String(id)]);
    expect(await lsf.awaitStatus(id, 'RUN')).toBe('RUN');
    await lsf.writeProgram(`${lsf.home}/controls.txt.end`, '');
    await lsf.awaitStatus(id, 'DONE');
  });

  it('run a command of JOB_CONTROLS as the user, in the directory of the job', async () => {
    const id = await startRecorder('command.txt', ['-q', 'commands']);
    await lsf.run('bstop', [String(id)]);
    expect(await lsf.awaitFile('suspended.txt', /\n/)).toBe(`JOB_CONTROLS 2 ${lsf.home}\n`);
    await lsf.run('bkill', ['-s', 'KILL', String(id)]);
  });
});

describe('the run limit', () => {
  it.each([
    ['-W', ['-W', '1']],
    ['RUNLIMIT', ['-q', 'limited']],
  ])('of %s ends a job by USR2: status 140', async (_, argv) => {
    const { exitCode } = await lsf.run('bsub', ['-K', ...argv, 'sleep 30']);
    expect(exitCode).toBe(140);
  });

  it('warns, then ends by INT, TERM and KILL; a job that had to be killed counts as done', async () => {
    const { exitCode } = await lsf.run('bsub', ['-K', '-W', '1', recorder('limit.txt')]);
    const signals = (await lsf.awaitFile('limit.txt')).trim().split('\n');
    expect(signals.filter((name) => name !== 'CONT')).toEqual(['ready', 'USR2', 'INT', 'TERM']);
    expect(exitCode).toBe(0);
  });
});

describe('bjobs', () => {
  it('shows a running job in all its forms', async () => {
    const id = await lsf.submit(['-n', '6', '-J', 'six', 'sleep 60']);
    await lsf.awaitStatus(id, 'RUN');
    const show = async (...argv: string[]): Promise<string> => (await lsf.run('bjobs', [...argv, String(id)])).stdout;
    const fields = 'jobid stat exec_host';
    expect(await show('-o', `${fields} delimiter=","`)).toMatch(
      new RegExp(`^JOBID,STAT,EXEC_HOST\n${id},RUN,2\\*node\\d:4\\*node\\d\n$`),
    );
    expect(JSON.parse(await show('-o', fields, '-json'))).toMatchObject({
      COMMAND: 'bjobs',
      JOBS: 1,
      RECORDS: [{ JOBID: String(id), STAT: 'RUN' }],
    });
    expect(await show('-w')).toMatch(/ RUN {3}normal {5}node1 {7}2\*node\d:4\*node\d six /);
    expect((await show()).split('\n')[2]).toMatch(/^ {45}4\*node\d$/);
    expect(await show('-l')).toContain(`Job <${id}>, Job Name <six>,`);
    await lsf.run('bkill', [String(id)]);
    await lsf.awaitStatus(id, 'EXIT');
  });

  it('knows no field EXIT_CODE', async () => {
    const { exitCode, stderr } = await lsf.run('bjobs', ['-a', '-o', 'exit_code']);
    expect([exitCode, stderr]).toEqual([255, 'exit_code: Illegal output field name.\n']);
  });

  it('tells what it does not find', async () => {
    expect(await lsf.run('bjobs', ['999'])).toEqual({ exitCode: 255, stdout: '', stderr: 'Job <999> is not found\n' });
    expect((await lsf.run('bjobs', [])).stderr).toBe('No unfinished job found\n');
  });
});

describe('a host that fails', () => {
  it('leaves its job UNKWN, and EXIT without a code when it is back', async () => {
    const id = await lsf.submit(['-m', 'node2', 'sleep 5']);
    await lsf.awaitStatus(id, 'RUN');
    await lsf.killAgent('node2');
    await lsf.awaitStatus(id, 'UNKWN');
    await lsf.startAgent('node2');
    await lsf.awaitStatus(id, 'EXIT');
    expect((await lsf.run('bjobs', ['-l', String(id)])).stdout).toContain('The CPU time used is unknown.');
  });
});
