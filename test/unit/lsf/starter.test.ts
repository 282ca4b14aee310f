import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chooseImage } from '../../../src/lsf/starter/choose-image.ts';
import { readJobCommand } from '../../../src/lsf/starter/read-job-command.ts';
import { planStarter } from '../../../src/middleware/lsf/plan-starter.ts';

let home: string;
let script: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'lsf-starter-'));
  mkdirSync(join(home, '.lsbatch'));
  script = join(home, '.lsbatch/1795157545.12.shell');
});
afterAll(() => rmSync(home, { recursive: true }));

const unseen = (): boolean => false;

describe('readJobCommand', () => {
  it.each([
    [['echo', 'hi  there', 'node1'], ['echo', 'hi  there', 'node1'], []],
    [
      ['A=1', 'B=x y', 'mpirun', 'C=3'],
      ['mpirun', 'C=3'],
      ['A=1', 'B=x y'],
    ],
    [['./12.shell'], ['./12.shell'], []],
  ])('hands %j on word by word', (words, argv, assignments) => {
    expect(readJobCommand(words, unseen)).toEqual({ argv, assignments });
  });

  it.each([
    ['#!/bin/bash\necho "a  b"\n', ['bash', '-c']],
    ['#! /bin/sh -e\nfalse\n', ['sh', '-e', '-c']],
    ['#!/usr/bin/env zsh\ntrue\n', ['zsh', '-c']],
    ['echo without a first line\n', ['sh', '-c']],
  ])('sends the text of a script from standard input along: %j', (text, shell) => {
    writeFileSync(script, text);
    expect(readJobCommand([script], unseen).argv).toEqual([...shell, text, script]);
  });

  it('runs such a script as it is where containers see it', () => {
    writeFileSync(script, '#!/usr/bin/python3\n');
    expect(readJobCommand([script], (path) => path === script).argv).toEqual([script]);
  });

  it.each([
    ['of no shell', '#!/usr/bin/python3\nprint(1)\n', 'is no shell'],
    ['too long', `#!/bin/sh\n${'#'.repeat(130 * 1024)}\n`, 'too long'],
  ])('refuses a script %s that containers do not see', (_, text, message) => {
    writeFileSync(script, text);
    expect(() => readJobCommand([script], unseen)).toThrow(message);
  });

  it('says that it is the script that cannot be read', () => {
    const gone = join(home, '.lsbatch/1795157545.13.shell');
    expect(() => readJobCommand([gone], unseen)).toThrow(
      expect.objectContaining({
        code: 'REQUEST_INVALID',
        message: expect.stringMatching(/^The job script, which LSF keeps in .*ENOENT/) as string,
      }) as Error,
    );
  });

  it.each([[[]], [['']], [['A=1']]])('has no command in %j', (words) => {
    expect(() => readJobCommand(words, unseen)).toThrow(expect.objectContaining({ code: 'COMMAND_EMPTY' }) as Error);
  });
});

describe('chooseImage', () => {
  const queueDefault = (queue: string) => (queue === 'cfd' ? { image: 'of-the-queue' } : undefined);

  it.each([
    ['the alias', { HPCDJ_IMAGE: 'a', HPCDJ_APPLICATION: '', LSB_QUEUE: 'cfd' }, { image: 'b' }, { image: 'a' }],
    ['the alias’ application', { HPCDJ_IMAGE: '', HPCDJ_APPLICATION: 'a' }, { image: 'b' }, { application: 'a' }],
    ['lsb.queues', { LSB_QUEUE: 'cfd' }, { application: 'b' }, { application: 'b' }],
    ['site.yaml', { LSB_QUEUE: 'cfd', HPCDJ_IMAGE: '' }, {}, { image: 'of-the-queue' }],
    ['nothing', { LSB_QUEUE: 'normal' }, {}, undefined],
  ])('goes by %s', (_, environment, options, wanted) => {
    expect(chooseImage({ options, environment, queueDefault })).toEqual(wanted);
  });
});

describe('planStarter', () => {
  let site: string;
  beforeAll(() => {
    site = join(home, 'site.yaml');
    writeFileSync(
      site,
      'version: 1\nlsf:\n  queues: {cfd: {image: "hpc/c:7"}}\n  passEnvironment: [DISPLAY, UNSET]\nmounts: {allowed: [{source: /scratch}]}\n',
    );
  });
  const plan = (words: readonly string[], environment: NodeJS.ProcessEnv = {}) =>
    planStarter({}, words, environment, site);

  it('runs a job of a queue with an image in a container, with the variables that the site passes on', async () => {
    expect(await plan(['A=1', 'run', '--image'], { LSB_QUEUE: 'cfd', DISPLAY: ':0', SECRET: 'x' })).toEqual({
      kind: 'container',
      options: { image: 'hpc/c:7', env: ['DISPLAY', 'A=1'], quiet: true, ownsInput: true },
      argv: ['run', '--image'],
    });
  });

  it.each([
    ['a job that has no image', ['run'], {}, { isWithoutImage: true }],
    ['a call of this program', ['/usr/local/bin/hpc_submit_dockerjob'], { LSB_QUEUE: 'cfd' }, {}],
  ])('leaves %s on the host', async (_, words, environment, more) => {
    expect(await plan(words, environment)).toEqual({ kind: 'host', argv: words, ...more });
  });

  it.each([
    ['#!/bin/bash\nexport APPLICATION=x\n/share/bin/hpc_submit_dockerjob\n', 'host'],
    ['#!/bin/bash\ncd x && exec hpc-submit-dockerjob --image y -- true\n', 'host'],
    ['#!/bin/bash\n# hpc_submit_dockerjob is not needed here\nmpirun x\n', 'container'],
    ['#!/bin/bash\ncat hpc_submit_dockerjob.log\n', 'container'],
  ])('leaves a script from standard input on the host only when it calls this program: %j', async (text, kind) => {
    writeFileSync(script, text);
    expect(await plan([script], { LSB_QUEUE: 'cfd' })).toMatchObject({ kind });
    const inAlias = await plan([script], { LSB_QUEUE: 'cfd', HPCDJ_IMAGE: 'hpc/c:7' });
    expect(inAlias).toMatchObject({ kind: 'container' });
    expect('note' in inAlias).toBe(kind === 'host');
  });

  it('says so without a command', async () => {
    await expect(plan([])).rejects.toMatchObject({ code: 'USAGE' });
  });
});
