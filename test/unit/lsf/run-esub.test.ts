import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runEsub } from '../../../src/middleware/lsf/run-esub.ts';

let directory: string;
const at = (name: string): string => join(directory, name);
const read = (name: string): string | undefined => (existsSync(at(name)) ? readFileSync(at(name), 'utf8') : undefined);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'esub-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const policy = `version: 1
images: {allowed: ["hpc/*"]}
applications:
  "foam:2": {image: hpc/foam:2, lsf: {queue: big, licenses: "s=1", runLimitSeconds: 600}}
lsf:
  aliases: {docker-cs7: {image: "hpc/centos:7"}, docker-bad: {image: "evil/x:1"}, foam: {application: "foam:2"}}
`;

async function submit(
  alias: string | undefined,
  parameters = '',
  environment: NodeJS.ProcessEnv = {},
  site = policy,
  words: readonly string[] = [],
  uid = 0,
) {
  writeFileSync(at('site.yaml'), site);
  writeFileSync(at('parm'), parameters);
  const said: string[] = [];
  const status = await runEsub({
    alias,
    words,
    sitePath: at('site.yaml'),
    uid,
    say: (line) => void said.push(line),
    environment: {
      LSB_SUB_PARM_FILE: at('parm'),
      LSB_SUB_MODIFY_FILE: at('delta'),
      LSB_SUB_MODIFY_ENVFILE: at('env'),
      LSB_SUB_ABORT_VALUE: '42',
      ...environment,
    },
  });
  return { status, said: said.join('\n') };
}

describe('runEsub', () => {
  // `nobody` is on every Debian, in one group.
  it.each([
    ['a user of the image', 'users: [nobody]', '', 0, ''],
    ['a user by number', 'users: ["65534"]', '', 0, ''],
    ['another user', 'users: [alice]', '', 42, '"hpc/*".users'],
    ['a member of its group', 'groups: [nogroup]', '', 0, ''],
    ['no member', 'groups: [cfd]', '', 42, '"hpc/*".groups'],
    ['its queue', 'queues: [night]', 'LSB_SUB_QUEUE="night"\n', 0, ''],
    ['another queue', 'queues: [night]', 'LSB_SUB_QUEUE="day"\n', 42, '"hpc/*".queues'],
    ['one of several queues, which LSF will choose', 'queues: [night]', 'LSB_SUB_QUEUE="day night"\n', 0, ''],
    ['the default queue, which is not known here', 'queues: [night]', '', 0, ''],
  ])('judges for %s as the job will be judged', async (_, condition, parameters, status, rule) => {
    const site = policy.replace('["hpc/*"]', `[{image: "hpc/*", ${condition}}]`);
    const answer = await submit('docker-cs7', parameters, {}, site, [], 65_534);
    expect(answer.status).toBe(status);
    if (rule === '') expect(answer.said).toBe('');
    else expect(answer.said).toContain(`site.yaml images.allowed ${rule}`);
  });

  it('asks for the queue to which the site sends the job', async () => {
    const site = policy.replace('image: hpc/foam:2,', 'image: hpc/foam:2, queues: [big],');
    expect(await submit('foam', 'LSB_SUB_QUEUE="day"\n', {}, site, [], 65_534)).toMatchObject({ status: 0 });
  });

  it('leaves a user whom the submission host does not know to the hosts of the job', async () => {
    const site = policy.replace('["hpc/*"]', '[{image: "hpc/*", users: [alice]}]');
    expect(await submit('docker-cs7', '', {}, site, [], 399_999)).toEqual({ status: 0, said: '' });
  });

  it('hands the image of an alias on in the environment of the job', async () => {
    expect(await submit('docker-cs7')).toEqual({ status: 0, said: '' });
    expect(read('env')).toBe('HPCDJ_APPLICATION=""\nHPCDJ_IMAGE="hpc/centos:7"\n');
    expect(read('delta')).toBeUndefined();
  });

  it('writes what changes in the form that LSF reads', async () => {
    expect((await submit('foam', 'LSB_SUB_RES_REQ="span[ptile=2]"\n')).status).toBe(0);
    expect(read('delta')).toBe(
      'LSB_SUB_QUEUE="big"\nLSB_SUB_RES_REQ="span[ptile=2] rusage[s=1]"\nLSB_SUB_RLIMIT_RUN=600\n',
    );
  });

  it('adds to what another esub has changed', async () => {
    writeFileSync(at('delta'), 'LSB_SUB_PROJECT_NAME="p"\n');
    await submit('foam');
    expect(read('delta')).toMatch(/^LSB_SUB_PROJECT_NAME="p"\nLSB_SUB_QUEUE="big"\n/);
  });

  it.each([
    ['an image that the site does not allow', 'docker-bad', '', {}, 'Image evil/x:1 is not allowed'],
    ['an alias that it does not know', 'docker-x', '', {}, 'no image of that name'],
    [
      'an application that it does not know',
      undefined,
      '',
      { APPLICATION: 'fom:2', COMMAND: 'x' },
      'Did you mean "foam:2"',
    ],
    [
      'resources that cannot be written',
      'foam',
      'LSB_SUB_RES_REQ="select[a==\\"b\\"]"\n',
      {},
      'cannot be handed to LSF',
    ],
  ])('refuses %s with the status that LSF names', async (_, alias, parameters, environment, message) => {
    const { status, said } = await submit(alias, parameters, environment);
    expect(status).toBe(42);
    expect(said).toContain(message);
  });

  describe('an image as an argument', () => {
    const serverDirectory = (): NodeJS.ProcessEnv => {
      writeFileSync(at('esub.hpcdocker'), '', { mode: 0o755 });
      symlinkSync('esub.hpcdocker', at('esub.docker'));
      return { LSF_SERVERDIR: directory };
    };
    const digest = `@sha256:${'0'.repeat(64)}`;

    it.each(['hpc/centos:7', `hpc/centos${digest}`, `r.example:5000/hpc/centos:7${digest}`])(
      'hands %s on in the environment of the job',
      async (image) => {
        const site = policy.replace('"hpc/*"', '"hpc/*", "r.example:5000/hpc/*"');
        expect(await submit('docker', '', {}, site, [image])).toEqual({ status: 0, said: '' });
        expect(read('env')).toBe(`HPCDJ_APPLICATION=""\nHPCDJ_IMAGE="${image}"\n`);
      },
    );

    it('is judged by the esub of every submission as well, for systems that give esubs no arguments', async () => {
      const named = (image: string): string => `LSB_SUB_ADDITIONAL="docker(${image})"\n`;
      const environment = { ...serverDirectory() };
      expect(await submit(undefined, named('hpc/centos:7'), environment)).toEqual({ status: 0, said: '' });
      expect(read('env')).toContain('HPCDJ_IMAGE="hpc/centos:7"\n');
      expect((await submit(undefined, named('evil/x:1'), environment)).status).toBe(42);
      expect((await submit(undefined, named('hpc/x'), environment, 'version: 2\n')).status).toBe(42);
    });

    it('with a line end is refused by the esub of every submission: LSF shows it half of it', async () => {
      const text = 'LSB_SUB_ADDITIONAL="docker(hpc/x\nLSB_SUB_QUEUE="big"\n)"\n';
      const { status, said } = await submit(undefined, text, serverDirectory());
      expect([status, said]).toEqual([42, expect.stringContaining('a parenthesis is not closed')]);
    });

    it.each([
      ['evil/x:1', 'Image evil/x:1 is not allowed'],
      ['hpc/Centos:7', 'small letters'],
      ['hpc/centos:7 --privileged', 'is not'],
      ['--privileged', 'is not'],
      ['hpc/x\nLSB_SUB_QUEUE="y"', 'is not'],
      ['"hpc/x"', 'is not'],
      ['hpc/x$(id)', 'is not'],
      ['hpc/x`id`', 'is not'],
      ['../hpc/x', 'is not'],
      ['hpc/x@sha256:0', 'sha256: and 64 hex digits'],
      ['', 'no image stands in the parentheses'],
    ])('is refused when it is %j', async (image, message) => {
      const { status, said } = await submit('docker', '', {}, policy, [image]);
      expect([status, said]).toEqual([42, expect.stringContaining(message)]);
      expect(said).not.toContain('\n');
      expect(read('env')).toBeUndefined();
    });
  });

  it.each([[undefined], ['x'], ['0'], ['300']])(
    'refuses with 97 when LSF names no usable status (%s)',
    async (value) => {
      expect((await submit('docker-bad', '', { LSB_SUB_ABORT_VALUE: value })).status).toBe(97);
    },
  );

  it('lets calls without files through: lsrun, copies of files', async () => {
    expect((await submit('docker-bad', '', { LSB_SUB_PARM_FILE: '' })).status).toBe(0);
    expect((await submit('docker-bad', '', { LSB_SUB_PARM_FILE: undefined })).status).toBe(0);
  });

  it('stops only those who ask for an image when the policy is wrong', async () => {
    const broken = 'version: 2\n';
    expect((await submit(undefined, '', {}, broken)).status).toBe(0);
    expect((await submit('docker-cs7', '', {}, broken)).status).toBe(42);
  });

  it.each([
    ['normal', undefined, 'Queue normal has no job starter'],
    ['', 'normal', 'The default queue has no job starter'],
    ['with', undefined, undefined],
    ['unknown', undefined, undefined],
  ])('asks LSF whether the queue (%j, default %s) has a job starter', async (queue, defaultQueue, message) => {
    const described = 'case "$2" in with) starter="JOB_STARTER:  x" ;; normal) starter= ;; *) exit 255 ;; esac';
    writeFileSync(at('bqueues'), `#!/bin/sh\n${described}\nprintf '\\nQUEUE: %s\\n%s\\n' "$2" "$starter"\n`, {
      mode: 0o755,
    });
    const parameters = queue === '' ? '' : `LSB_SUB_QUEUE="${queue}"\n`;
    const { status, said } = await submit('docker-cs7', parameters, {
      LSF_BINDIR: directory,
      LSB_DEFAULTQUEUE: defaultQueue,
    });
    expect([status, said.includes(message ?? '')]).toEqual([message === undefined ? 0 : 42, true]);
  });

  it('follows no link that somebody has put in the place of a file', async () => {
    writeFileSync(at('victim'), '');
    symlinkSync(at('victim'), at('env'));
    expect((await submit('docker-cs7')).status).toBe(42);
    expect(read('victim')).toBe('');
  });
});

describe('esub.hpcdocker', () => {
  /** The wrapper in a package whose program ends with this status, called as `name` with nothing else around. */
  function call(
    name: string,
    program: string | undefined,
    environment: NodeJS.ProcessEnv = {},
    argv: readonly string[] = ['-r'],
  ) {
    mkdirSync(at('package/share/lsf'), { recursive: true });
    mkdirSync(at('package/bin'), { recursive: true });
    cpSync('share/lsf/esub.hpcdocker', at('package/share/lsf/esub.hpcdocker'));
    if (program !== undefined) {
      writeFileSync(at('package/bin/hpc-submit-dockerjob'), `#!/bin/sh\necho "$@" >"${at('called')}"\n${program}\n`);
      chmodSync(at('package/bin/hpc-submit-dockerjob'), 0o755);
    }
    symlinkSync('package/share/lsf/esub.hpcdocker', at(name));
    const { status, stdout, stderr } = spawnSync(at(name), argv, { env: environment, encoding: 'utf8' });
    return { status, stdout, stderr, called: read('called') };
  }

  const submission = { LSB_SUB_PARM_FILE: '/x', LSB_SUB_ABORT_VALUE: '42' };

  it('survives an empty environment and calls nothing', () => {
    expect(call('esub.hpcdocker', 'exit 1')).toEqual({ status: 0, stdout: '', stderr: '', called: undefined });
  });

  it.each([
    ['esub.hpcdocker', 'esub\n'],
    ['esub', 'esub\n'],
    ['esub.docker-cs7', 'esub --alias=docker-cs7\n'],
  ])('tells the program that it is %s', (name, called) => {
    expect(call(name, 'exit 0', submission)).toMatchObject({ status: 0, called });
  });

  it.each([
    [[], 'esub --alias=docker\n'],
    [['hpc/x:1'], 'esub --alias=docker -- hpc/x:1\n'],
    [['a', '-r', '--alias=foam'], 'esub --alias=docker -- a -r --alias=foam\n'],
  ])('hands on the arguments %j', (argv, called) => {
    expect(call('esub.docker', 'exit 0', submission, argv)).toMatchObject({ status: 0, called });
  });

  it('keeps standard output empty, which goes to eexec', () => {
    expect(call('esub.a', 'echo hello; exit 0', submission)).toMatchObject({ stdout: '', stderr: 'hello\n' });
  });

  it('passes a refusal on', () => {
    expect(call('esub.hpcdocker', 'exit 42', submission).status).toBe(42);
  });

  it.each([
    ['fails', 'exit 70'],
    ['is killed', 'kill -9 $$'],
    ['is missing', undefined],
  ])('stops only who asked for an image when the program %s', (_, program) => {
    expect(call('esub.hpcdocker', program, submission).status).toBe(0);
    expect(call('esub.docker-cs7', program, submission)).toMatchObject({ status: 42 });
  });
});
