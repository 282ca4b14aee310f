import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { rm } from 'node:fs/promises';
import { startStandin } from '../../support/lsf-standin.ts';
import type { Standin } from '../../support/lsf-standin.ts';

let lsf: Standin;
beforeAll(async () => {
  lsf = await startStandin({ slots: [2, 2], conf: 'LSB_ESUB_METHOD=site', queues: { apps: '' } });
});
afterAll(() => lsf[Symbol.asyncDispose]());
beforeEach(async () => {
  for (const name of ['esub', 'esub.site', 'esub.rec']) await rm(`${lsf.serverdir}/${name}`, { force: true });
});

function esub(name: string, ...lines: readonly string[]): Promise<void> {
  return lsf.writeProgram(`${lsf.serverdir}/${name}`, `#!/bin/sh\n${lines.join('\n')}\n`);
}

describe('esub', () => {
  it('gets the recorded parameter file', async () => {
    await esub(
      'esub.rec',
      'cp "$LSB_SUB_PARM_FILE" parm.txt',
      'stat -c %a "$LSB_SUB_PARM_FILE" >> parm.txt',
      'echo "$@ $LSB_SUB_ABORT_VALUE" >> parm.txt',
    );
    const argv = [
      '-a',
      'site rec',
      '-q',
      'normal',
      '-n',
      '2',
      '-J',
      'na me"q',
      '-o',
      'o2.%J',
      '-R',
      'select[type==any] span[ptile=1]',
    ];
    await lsf.submit([
      ...argv,
      '-W',
      '5',
      '-P',
      'proj',
      '-M',
      '100000',
      '-E',
      '/bin/true',
      '-f',
      'a > b',
      '-L',
      '/bin/bash',
      'env | grep -E "A|QUEUE"',
    ]);
    expect((await lsf.awaitFile('parm.txt', /97\n$/)).split('\n').sort()).toEqual(
      [
        'LSB_SUB_JOB_NAME="na me\\"q"',
        'LSB_SUB_QUEUE="normal"',
        'LSB_SUB_OUT_FILE="o2.%J"',
        'LSB_SUB_RES_REQ="select[type==any] span[ptile=1]"',
        'LSB_SUB_PRE_EXEC="/bin/true"',
        'LSB_SUB_LOGIN_SHELL="/bin/bash"',
        'LSB_SUB_PROJECT_NAME="proj"',
        'LSB_SUB_RLIMIT_RSS=100000',
        'LSB_SUB_RLIMIT_RUN=300',
        'LSB_SUB_NUM_PROCESSORS=2',
        'LSB_SUB_MAX_NUM_PROCESSORS=2',
        'LSB_SUB_OTHER_FILES=1',
        'LSB_SUB_OTHER_FILES_0="a > b"',
        'LSB_SUB_ADDITIONAL="site rec"',
        'LSB_SUB_COMMANDNAME="env"',
        'LSB_SUB_COMMAND_LINE="env | grep -E "A|QUEUE""',
        '666',
        '-r 97',
        '',
      ].sort(),
    );
  });

  it('is run in the recorded order; a missing one is ignored', async () => {
    for (const name of ['esub', 'esub.site', 'esub.rec']) await esub(name, `echo ${name} "$@" >> order.txt`);
    await lsf.submit(['-a', 'nosuch rec', 'true']);
    expect(await lsf.awaitFile('order.txt')).toBe('esub\nesub.site -r\nesub.rec -r\n');
    await lsf.submit(['true'], { env: { LSB_ESUB_METHOD: 'nosuch' } });
    expect(await lsf.awaitFile('order.txt')).toBe('esub\nesub.site -r\nesub.rec -r\nesub\n');
  });

  it('gets what stands in its parentheses, as IBM documents it', async () => {
    await esub(
      'esub.rec',
      'for word; do echo "<$word>" >> words.txt; done; grep ADDITIONAL "$LSB_SUB_PARM_FILE" >> words.txt',
    );
    await lsf.submit(['-a', 'nosuch(x)  rec ( r.example:5000/a@b , two words,\\(\\,\\) ) other', 'true']);
    expect(await lsf.awaitFile('words.txt', /ADDITIONAL/)).toBe(
      '<r.example:5000/a@b>\n<two words>\n<(,)>\nLSB_SUB_ADDITIONAL="nosuch(x)  rec ( r.example:5000/a@b , two words,\\(\\,\\) ) other"\n',
    );
  });

  it.each([
    ['exit 97', 'a status of 97'],
    ['kill -9 $$', 'death by a signal'],
  ])('refuses the job by `%s`: %s', async (line) => {
    await esub('esub', line);
    const { exitCode, stdout, stderr } = await lsf.run('bsub', ['true']);
    expect([exitCode, stdout, stderr]).toEqual([255, '', 'Request aborted by esub. Job not submitted.\n']);
  });

  it.each(['exit 5', 'nosuchcommand'])('lets the job through after `%s`', async (line) => {
    await esub('esub', line);
    expect(await lsf.submit(['true'])).toBeGreaterThan(0);
  });

  it('changes the job: queue, hosts, command', async () => {
    await esub(
      'esub',
      `cat > "$LSB_SUB_MODIFY_FILE" <<'END'`,
      '# a comment',
      'LSB_SUB_QUEUE="apps"',
      'LSB_SUB_HOSTS="node2"',
      `LSB_SUB_COMMAND_LINE="/bin/sh -c 'echo wrapped; true'"`,
      'LSB_SUB_OUT_FILE="changed.out"',
      'END',
    );
    const ran = await lsf.run('bsub', ['false']);
    expect(ran.stdout).toMatch(/to queue <apps>\.\n$/);
    expect(await lsf.awaitFile('changed.out', /\nwrapped\n/)).toContain('<node2>');
  });

  it.each([
    ['LSB_SUB_JOB_NAME="a \\" b"', 'Bad value'],
    ['LSB_SUB_QUEUE=apps', 'Bad value'],
    ['LSB_SUB_NOSUCH="x"', 'Unknown parameter'],
    ['LSB_SUB_ADDITIONAL="x"', 'Unknown parameter'],
  ])('is warned of the line %s, which is ignored', async (line, warning) => {
    await esub('esub', `cat > "$LSB_SUB_MODIFY_FILE" <<'END'`, line, 'END');
    const { stdout, stderr } = await lsf.run('bsub', ['true']);
    expect(stdout).toMatch(/default queue <normal>/);
    expect(stderr).toContain(warning);
  });

  it('cannot send a job to a queue that is not there', async () => {
    await esub('esub', 'echo \'LSB_SUB_QUEUE="nope"\' > "$LSB_SUB_MODIFY_FILE"');
    expect(await lsf.run('bsub', ['true'])).toMatchObject({
      exitCode: 255,
      stderr: 'nope: No such queue. Job not submitted.\n',
    });
  });

  it('sets variables of the job, taken literally', async () => {
    const lines = ['ONE="a $HOME `b`"', 'TWO=x y', 'THREE="in"side"', 'LSB_JOBID="7"', 'PATH="/own:/bin:/usr/bin"'];
    await esub('esub', `cat > "$LSB_SUB_MODIFY_ENVFILE" <<'END'`, ...lines, 'END');
    await lsf.submit(['echo "$ONE|$TWO|$THREE|$LSB_JOBID|$PATH" > vars.txt']);
    const [one, two, three, id, path] = (await lsf.awaitFile('vars.txt', /\n/)).trim().split('|');
    expect([one, two, three]).toEqual(['a $HOME `b`', 'x', 'in']);
    expect(id).not.toBe('7');
    expect(path).toMatch(/\/bin:\/own:\/bin:\/usr\/bin$/);
  });

  it('sees a script of standard input as one line', async () => {
    await esub('esub', 'grep COMMAND_LINE "$LSB_SUB_PARM_FILE" > line.txt; cat >> line.txt');
    await lsf.submit([], { input: '#!/bin/bash\n#BSUB -n 1\n\necho one\necho two\n' });
    expect(await lsf.awaitFile('line.txt')).toBe('LSB_SUB_COMMAND_LINE="#!/bin/bash;#BSUB -n 1;echo one;echo two"\n');
  });
});
