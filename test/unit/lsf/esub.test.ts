import { describe, expect, it } from 'vitest';
import { decideSubmission } from '../../../src/lsf/esub/decide-submission.ts';
import type { SubmissionPolicy, SubmissionRule } from '../../../src/lsf/esub/decide-submission.ts';
import { parseJobStarter } from '../../../src/lsf/esub/find-job-starter.ts';
import { addLicenses } from '../../../src/lsf/esub/merge-resources.ts';
import { parseEsubNames } from '../../../src/lsf/esub/parse-esub-names.ts';
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

describe('parseEsubNames', () => {
  it.each([
    ['', []],
    ['  ', []],
    ['one two', [{ name: 'one' }, { name: 'two' }]],
    ['docker(hpc/foam:2)', [{ name: 'docker', words: ['hpc/foam:2'] }]],
    ['  a  (  x  ,  y z  )  b', [{ name: 'a', words: ['x', 'y z'] }, { name: 'b' }]],
    [
      'a(x)b(y)',
      [
        { name: 'a', words: ['x'] },
        { name: 'b', words: ['y'] },
      ],
    ],
    ['a()', [{ name: 'a', words: [] }]],
    ['a( )', [{ name: 'a', words: [] }]],
    ['a(,)', [{ name: 'a', words: ['', ''] }]],
    ['a(x\\(\\)\\,\\\\y)', [{ name: 'a', words: ['x(),\\y'] }]],
    ['a(r.example:5000/x@sha256:0)', [{ name: 'a', words: ['r.example:5000/x@sha256:0'] }]],
    ['a(x', [{ name: 'a', isBroken: true }]],
    ['a(x(y))', [{ name: 'a', isBroken: true }]],
    ['a(x\\)', [{ name: 'a', isBroken: true }]],
    ['a)', [{ name: 'a', isBroken: true }]],
    [')', [{ name: '', isBroken: true }]],
    ['(x)', [{ name: '', words: ['x'] }]],
  ])('reads %j', (text, named) => {
    expect(parseEsubNames(text)).toEqual(named);
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
    words = [],
    ownEsubs = new Set<string>(),
  }: {
    readonly alias?: string;
    readonly words?: readonly string[];
    readonly ownEsubs?: ReadonlySet<string>;
    readonly parameters?: Record<string, string>;
    readonly environment?: NodeJS.ProcessEnv;
    readonly isServed?: (name: string) => boolean;
  },
  rule?: Partial<SubmissionRule>,
) {
  const policy = policyWith(rule === undefined ? undefined : { 'foam:2': { ...nothing, ...rule } });
  return decideSubmission(
    { alias, words, ownEsubs, isServed, parameters: new Map(Object.entries(parameters)), environment },
    policy,
  );
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

  describe('takes an image as an argument', () => {
    const ownEsubs = new Set(['hpcdocker', 'docker', 'foam']);
    const named = (text: string) => ({ ownEsubs, parameters: { LSB_SUB_ADDITIONAL: text } });

    it.each([
      ['LSF gives it', { alias: 'docker', words: ['hpc/foam:2'], ...named('docker($IMAGE)') }],
      ['LSF only shows it', { alias: 'docker', ...named('site docker( hpc/foam:2 )') }],
      ['LSF calls the esub of every submission alone', named('docker(hpc/foam:2) site')],
      ['it is told twice', named('docker(hpc/foam:2) docker( hpc/foam:2)')],
      ['the name is that of the esub of every submission', named('hpcdocker(hpc/foam:2)')],
    ])('when %s', (_, submission) => {
      expect(decide(submission)).toEqual({
        parameters: {},
        environment: { HPCDJ_APPLICATION: '', HPCDJ_IMAGE: 'hpc/foam:2' },
        needsStarter: true,
        notes: [],
      });
    });

    it.each([
      ['two images', 'docker(a,b)', 'these are 2 images'],
      ['an end without one', 'docker(a,)', 'these are 2 images'],
      ['none', 'docker()', 'no image stands in the parentheses'],
      ['blanks', 'docker( )', 'no image stands in the parentheses'],
      ['no end', 'docker(a', 'a parenthesis is not closed'],
      ['parentheses in it', 'docker(a(b))', 'a parenthesis is not closed'],
      ['the name of an alias', 'docker(docker-cs7)', 'docker-cs7 is no image'],
      ['two calls', 'docker(a) docker(b)', 'names several images'],
      ['an alias beside it', 'docker(a) docker-cs7', 'names several images'],
      ['an alias with an argument', 'foam(a)', 'foam has its image from the site'],
    ])('refuses %s, whichever esub LSF calls', (_, text, message) => {
      expect(() => decide(named(text))).toThrow(message);
      expect(() => decide({ alias: text.replace(/\W.*/, ''), ...named(text) })).toThrow(message);
    });

    it('refuses a name without an image, and says how to name one', () => {
      expect(() => decide({ alias: 'docker', ...named('docker') })).toThrow('no image of that name');
      expect(decide(named('docker'))).toMatchObject({ environment: {}, needsStarter: false });
    });

    it('refuses arguments for an esub that this host does not have: LSF would run the job without them', () => {
      const isServed = (name: string): boolean => ownEsubs.has(name);
      expect(() => decide({ ...named('dokcer(a)'), isServed })).toThrow('LSF would run the job without one');
      expect(() => decide({ ...named('podman(a)'), isServed })).toThrow('LSF would run the job without one');
      expect(decide({ ...named('podman'), isServed }).notes).toHaveLength(1);
    });

    it('leaves the arguments of other esubs alone', () => {
      expect(decide(named('eas(a,b) other('))).toMatchObject({ environment: {}, needsStarter: false, notes: [] });
    });

    it.each([
      ['a login shell', { LSB_SUB_LOGIN_SHELL: '/bin/sh' }, 'bsub -L does not go with -a docker(a)'],
      ['another image for a job that is there already', { LSB_SUB_MODIFY: 'Y' }, 'a job keeps the image'],
    ])('refuses %s', (_, parameters, message) => {
      expect(() => decide({ ownEsubs, parameters: { LSB_SUB_ADDITIONAL: 'docker(a)', ...parameters } })).toThrow(
        message,
      );
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
