import { describe, expect, it } from 'vitest';
import { decideSubmission } from '../../../src/lsf/esub/decide-submission.ts';
import type { SubmissionPolicy, SubmissionRule } from '../../../src/lsf/esub/decide-submission.ts';
import { parseJobStarter } from '../../../src/lsf/esub/find-job-starter.ts';
import { addLicenses } from '../../../src/lsf/esub/merge-resources.ts';
import { parseParameters } from '../../../src/lsf/esub/parse-parameters.ts';
import { JobError } from '../../../src/values/errors.ts';

describe('parseParameters', () => {
  it('reads a recorded file', () => {
    const text = `LSB_SUB_JOB_NAME="na me\\"q"
LSB_SUB_QUEUE="normal"
LSB_SUB_OUT_FILE="o2.%J"
LSB_SUB_RES_REQ="select[type==any] span[ptile=1]"
LSB_SUB_LOGIN_SHELL="/bin/bash"
LSB_SUB_RLIMIT_RUN=300
LSB_SUB_NUM_PROCESSORS=2
LSB_SUB_OTHER_FILES_0="a > b"
LSB_SUB_ADDITIONAL="site rec"
LSB_SUB_EXCLUSIVE=Y
LSB_SUB3_APP="profile"
`;
    expect(Object.fromEntries(parseParameters(text))).toEqual({
      LSB_SUB_JOB_NAME: 'na me"q',
      LSB_SUB_QUEUE: 'normal',
      LSB_SUB_OUT_FILE: 'o2.%J',
      LSB_SUB_RES_REQ: 'select[type==any] span[ptile=1]',
      LSB_SUB_LOGIN_SHELL: '/bin/bash',
      LSB_SUB_RLIMIT_RUN: '300',
      LSB_SUB_NUM_PROCESSORS: '2',
      LSB_SUB_OTHER_FILES_0: 'a > b',
      LSB_SUB_ADDITIONAL: 'site rec',
      LSB_SUB_EXCLUSIVE: 'Y',
      LSB_SUB3_APP: 'profile',
    });
  });

  it('leaves the command line out, which LSF writes without escapes', () => {
    const text = 'LSB_SUB_COMMANDNAME="grep"\nLSB_SUB_COMMAND_LINE="grep -E "A|QUEUE" $(id)"\nLSB_SUB_QUEUE="q"\n';
    expect([...parseParameters(text)]).toEqual([['LSB_SUB_QUEUE', 'q']]);
  });

  it('takes the first of two, so that a line end in a value changes nothing before it', () => {
    expect(parseParameters('LSB_SUB_QUEUE="q"\nLSB_SUB_JOB_NAME="x\nLSB_SUB_QUEUE="y"\n').get('LSB_SUB_QUEUE')).toBe(
      'q',
    );
  });

  it.each(['', '\n', 'PATH="/tmp"', 'LSB_SUB_QUEUE', '; rm x', 'LSB_SUB_queue="x"'])('finds nothing in %j', (text) => {
    expect(parseParameters(text).size).toBe(0);
  });
});

describe('parseJobStarter', () => {
  const described = '\nQUEUE: cfd\n  -- jobs of CFD\n\nUSERS:  all users\nHOSTS:  all\n';

  it.each([
    [`${described}JOB_STARTER:  /opt/x starter\n`, '/opt/x starter'],
    [described, ''],
    ['QUEUE_NAME      PRIO STATUS\ncfd 30 Open:Active\n', undefined],
    ['\nQUEUE: other\n', undefined],
    ['', undefined],
  ])('finds in %j the starter %j', (text, starter) => {
    expect(parseJobStarter(text, 'cfd')).toBe(starter);
  });
});

describe('addLicenses', () => {
  it.each([
    ['', 'solver=1', 'rusage[solver=1]'],
    ['', 'solver=1:post=2', 'rusage[solver=1,post=2]'],
    ['span[ptile=16]', 'solver=1', 'span[ptile=16] rusage[solver=1]'],
    ['type==any', 'solver=1', 'type==any rusage[solver=1]'],
    ['select[a||b] rusage[mem=100]', 'solver=1', 'select[a||b] rusage[solver=1,mem=100]'],
    ['rusage[mem=100,solver=2]', 'solver=1', 'rusage[mem=100,solver=2]'],
    ['rusage[mem=100:solver=1]', 'solver=2', 'rusage[solver=2,mem=100:solver=1]'],
  ])('makes of %j with %s %j', (resReq, licenses, merged) => {
    expect(addLicenses(resReq, licenses)).toBe(merged);
  });

  it.each(['{rusage[mem=1]} || {rusage[mem=2]}', '2*{select[a]}+1*{select[b]}', 'rusage[mem=1||mem=2]'])(
    'refuses %j',
    (resReq) => {
      expect(() => addLicenses(resReq, 'solver=1')).toThrow(
        'without braces and alternatives'.length > 0 ? JobError : '',
      );
    },
  );
});

const nothing: SubmissionRule = { queue: '', resReq: '', licenses: '', runLimitSeconds: 0 };

function policyWith(rules: Readonly<Record<string, SubmissionRule>> = { 'foam:2': nothing }): SubmissionPolicy {
  return {
    aliasNames: ['docker-cs7', 'foam'],
    alias: (name) =>
      name === 'docker-cs7' ? { image: 'hpc/centos:7' } : name === 'foam' ? { application: 'foam:2' } : undefined,
    queueDefault: (queue) => (queue === 'cfd' ? { application: 'foam:2' } : undefined),
    judge: (wanted) => {
      if ('application' in wanted && !Object.hasOwn(rules, wanted.application))
        throw new JobError({ code: 'APPLICATION_UNKNOWN', message: `Application ${wanted.application}?` });
    },
    isApplication: (name) => Object.hasOwn(rules, name),
    ruleOf: (name) => rules[name],
  };
}

function decide(
  {
    alias,
    parameters = {},
    environment = {},
    isServed = () => true,
  }: {
    readonly alias?: string;
    readonly parameters?: Record<string, string>;
    readonly environment?: NodeJS.ProcessEnv;
    readonly isServed?: (name: string) => boolean;
  },
  rule?: Partial<SubmissionRule>,
) {
  const policy = policyWith(rule === undefined ? undefined : { 'foam:2': { ...nothing, ...rule } });
  return decideSubmission({ alias, isServed, parameters: new Map(Object.entries(parameters)), environment }, policy);
}

describe('decideSubmission', () => {
  it('puts the image of an alias into the environment of the job, and nothing else beside it', () => {
    expect(decide({ alias: 'docker-cs7' })).toEqual({
      parameters: {},
      environment: { HPCDJ_APPLICATION: '', HPCDJ_IMAGE: 'hpc/centos:7' },
      needsStarter: true,
      notes: [],
    });
    expect(decide({ alias: 'foam' }).environment).toEqual({ HPCDJ_APPLICATION: 'foam:2', HPCDJ_IMAGE: '' });
  });

  it.each([
    ['a job without any of ours', {}],
    ['a change of a job (bmod)', { alias: 'foam', parameters: { LSB_SUB_MODIFY: 'Y' } }],
    ['one whose alias has its own esub', { parameters: { LSB_SUB_ADDITIONAL: 'site foam(x)', LSB_SUB_QUEUE: 'cfd' } }],
    ['one with APPLICATION of another program', { environment: { APPLICATION: 'whatever' } }],
  ])('leaves %s alone', (_, submission) => {
    expect(decide(submission, { queue: 'big' })).toEqual({
      parameters: {},
      environment: {},
      needsStarter: false,
      notes: [],
    });
  });

  it('serves an alias whose own esub is missing on this host', () => {
    const parameters = { LSB_SUB_ADDITIONAL: 'site docker-cs7' };
    const isServed = (name: string): boolean => name === 'site';
    expect(decide({ parameters, isServed })).toMatchObject({
      environment: { HPCDJ_IMAGE: 'hpc/centos:7' },
      needsStarter: true,
    });
  });

  it('refuses a name that looks like a misspelt alias, and tells of one that LSF will ignore', () => {
    const isServed = (): boolean => false;
    const submit = (name: string) => decide({ parameters: { LSB_SUB_ADDITIONAL: name }, isServed });
    expect(() => submit('docker-cs8')).toThrow('LSF would run the job without one');
    expect(submit('openmpi')).toEqual({
      parameters: {},
      environment: {},
      needsStarter: false,
      notes: ['bsub -a openmpi: there is no esub of that name, LSF ignores it'],
    });
  });

  it.each([
    ['an alias', { alias: 'foam' }],
    ['APPLICATION', { environment: { APPLICATION: 'foam:2' } }],
    ['the queue', { parameters: { LSB_SUB_QUEUE: 'cfd' } }],
  ])('applies the rule of the application that %s names', (_, submission) => {
    const { parameters } = decide(submission, {
      queue: 'big',
      resReq: 'span[ptile=16]',
      licenses: 's=1',
      runLimitSeconds: 600,
    });
    expect(parameters).toEqual({
      LSB_SUB_QUEUE: 'big',
      LSB_SUB_RES_REQ: 'span[ptile=16] rusage[s=1]',
      LSB_SUB_RLIMIT_RUN: 600,
    });
  });

  it.each<[string, string | undefined, number | undefined]>([
    ['none', undefined, 600],
    ['more', '900', 600],
    ['less', '300', undefined],
    ['as much', '600', undefined],
    ['none, as LSF also says it', '-1', 600],
    ['something else', 'x', 600],
  ])('limits the run time of a job that asks for %s', (_, asked, limit) => {
    const parameters: Record<string, string> = asked === undefined ? {} : { LSB_SUB_RLIMIT_RUN: asked };
    expect(decide({ alias: 'foam', parameters }, { runLimitSeconds: 600 }).parameters['LSB_SUB_RLIMIT_RUN']).toBe(
      limit,
    );
  });

  it('keeps the user’s own resources, but adds the licences', () => {
    const rule = { resReq: 'span[ptile=16]', licenses: 's=1' };
    const parameters = { LSB_SUB_RES_REQ: 'span[hosts=1]', LSB_SUB_QUEUE: 'q' };
    expect(decide({ alias: 'foam', parameters }, rule)).toMatchObject({
      parameters: { LSB_SUB_RES_REQ: 'span[hosts=1] rusage[s=1]' },
      notes: ['resources span[hosts=1] rusage[s=1]'],
    });
  });

  it('tells the user about a changed queue', () => {
    expect(decide({ alias: 'foam', parameters: { LSB_SUB_QUEUE: 'small' } }, { queue: 'big' }).notes).toEqual([
      'queue big instead of small, as the site wants for it',
    ]);
  });

  it.each([
    ['an alias that the site does not have', { alias: 'docker-x' }, 'no image of that name'],
    [
      'a login shell, which drops the environment',
      { alias: 'foam', parameters: { LSB_SUB_LOGIN_SHELL: '/bin/sh' } },
      '-L',
    ],
    ['an unknown APPLICATION with COMMAND', { environment: { APPLICATION: 'x', COMMAND: 'y' } }, 'Application x'],
  ])('refuses %s', (_, submission, message) => {
    expect(() => decide(submission)).toThrow(message);
  });
});
