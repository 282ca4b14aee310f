import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseSite } from '../../../../src/config/parse-site.ts';
import { keysOfCases } from '../../../../src/middleware/policy/case-schema.ts';
import { judgeCase } from '../../../../src/middleware/policy/judge-case.ts';
import type { UserDatabase } from '../../../../src/middleware/policy/judge-case.ts';
import { parseCases } from '../../../../src/middleware/policy/read-cases.ts';
import { renderTest, testJson } from '../../../../src/middleware/policy/show-test.ts';
import { isAsExpected, testPolicy } from '../../../../src/middleware/policy/test-policy.ts';
import { asJobError, JobError } from '../../../../src/values/errors.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const siteText = `
version: 1
etcd: { endpoints: ["https://etcd1:2379"] }
images:
  allowed:
    - lab/*
    - { image: "cfd/*", groups: [cfd] }
    - { image: "numbers/*", groups: ["2100"] }
    - { image: "gpu/*", partitions: [gpu] }
    - { image: "night/*", queues: [night, all.q] }
    - { image: "own/*", users: ["2001"] }
    - { image: "pinned/x@${digest}" }
    - { image: "tagged/x:1" }
    - { image: "all/*", users: [], groups: [], partitions: [], queues: [] }
applications:
  "forbidden:1": { image: "evil/y:1" }
  "cfd:1": { image: "lab/mpi:1", groups: [cfd], mounts: [/sw] }
mounts:
  allowed:
    - { source: /scratch }
    - { source: /sw, always: false, readOnly: true, groups: [cfd] }
`;
const site = parseSite(siteText);

/** As `readUser` tells of the user: also the primary group is among the groups. */
const database: UserDatabase = {
  findUser: (text) => {
    const groups = [
      { gid: 2001, name: 'alice' },
      { gid: 2100, name: 'cfd' },
    ];
    if (['alice', '2001'].includes(text))
      return Promise.resolve({ name: 'alice', uid: 2001, gid: 2100, home: '/', groups });
    return Promise.reject(new JobError({ code: 'HOST_UNFIT', message: 'unknown' }));
  },
  findGroup: (text) => Promise.resolve(['cfd', '2100'].includes(text) ? { gid: 2100, name: 'cfd' } : undefined),
};

/** What becomes of one case, written as in a file. */
async function verdictOf(text: string): Promise<string> {
  const [each] = parseCases(`cases: [{name: x, expect: allowed, ${text}}]`, 'cases.yaml');
  if (each === undefined) throw new Error('no case');
  const verdict = await judgeCase(site, each, database);
  if (verdict.verdict === 'allowed') return verdict.rules[0] ?? '';
  return `${verdict.error.code} ${verdict.error.rule ?? ''}`;
}

describe('policy test', () => {
  it.each([
    ['an image for all', 'image: "lab/x"', 'images.allowed "lab/*"'],
    ['lists that are empty', 'image: "all/x"', 'images.allowed "all/*"'],
    ['nobody in particular', 'image: "cfd/x"', 'IMAGE_NOT_ALLOWED images.allowed "cfd/*".groups'],
    ['a group by the user database, also the primary one', 'user: alice, image: "cfd/x"', 'images.allowed "cfd/*"'],
    ['a group that is written down', 'user: carol, groups: [cfd], image: "cfd/x"', 'images.allowed "cfd/*"'],
    ['a group without a user', 'groups: [cfd], image: "cfd/x"', 'images.allowed "cfd/*"'],
    ['a group by name for a rule by number', 'groups: [cfd], image: "numbers/x"', 'images.allowed "numbers/*"'],
    ['a group by number for a rule by name', 'groups: [2100], image: "cfd/x"', 'images.allowed "cfd/*"'],
    [
      'a group that this host does not know',
      'groups: ["2101"], image: "cfd/x"',
      'IMAGE_NOT_ALLOWED images.allowed "cfd/*".groups',
    ],
    [
      'no group although the user has one',
      'user: alice, groups: [], image: "cfd/x"',
      'IMAGE_NOT_ALLOWED images.allowed "cfd/*".groups',
    ],
    ['a user by name for a rule by number', 'user: alice, groups: [], image: "own/x"', 'images.allowed "own/*"'],
    ['a user by number', 'user: 2001, groups: [], image: "own/x"', 'images.allowed "own/*"'],
    ['another number', 'user: "2002", groups: [], image: "own/x"', 'IMAGE_NOT_ALLOWED images.allowed "own/*".users'],
    ['a user whom nobody knows', 'user: mallory, image: "lab/x"', 'HOST_UNFIT '],
    ['root', 'user: root, groups: [], image: "lab/x"', 'NOT_PERMITTED '],
    ['root by number', 'user: 0, groups: [], image: "lab/x"', 'NOT_PERMITTED '],
    ['a partition', 'partition: gpu, image: "gpu/x"', 'images.allowed "gpu/*"'],
    ['a partition in the other word', 'queue: gpu, image: "gpu/x"', 'images.allowed "gpu/*"'],
    ['another partition', 'partition: cpu, image: "gpu/x"', 'IMAGE_NOT_ALLOWED images.allowed "gpu/*".partitions'],
    ['no partition', 'image: "gpu/x"', 'IMAGE_NOT_ALLOWED images.allowed "gpu/*".partitions'],
    ['a queue', 'queue: all.q, image: "night/x"', 'images.allowed "night/*"'],
    ['another queue', 'queue: all, image: "night/x"', 'IMAGE_NOT_ALLOWED images.allowed "night/*".queues'],
    ['the digest of a pattern', `image: "pinned/x@${digest}"`, `images.allowed "pinned/x@${digest}"`],
    ['a tag where a digest is demanded', 'image: "pinned/x:1"', 'IMAGE_NOT_ALLOWED images.allowed'],
    ['a digest beside the tag of a pattern', `image: "tagged/x:1@${digest}"`, 'IMAGE_NOT_ALLOWED images.allowed'],
    [
      'an application of another image than the patterns have',
      'application: "forbidden:1"',
      'applications."forbidden:1".image',
    ],
    ['the image of that application by itself', 'image: "evil/y:1"', 'IMAGE_NOT_ALLOWED images.allowed'],
    ['an application for a group', 'application: "cfd:1"', 'APPLICATION_NOT_ALLOWED applications."cfd:1".groups'],
    ['an application that there is not', 'application: "cfd:2"', 'APPLICATION_UNKNOWN applications'],
    ['both', 'application: "cfd:1", image: "lab/x"', 'REQUEST_INVALID '],
    ['neither', 'hosts: 1', 'IMAGE_MISSING_IN_REQUEST '],
    ['a mount for a group', 'image: "lab/x", mounts: [/sw]', 'MOUNT_NOT_ALLOWED mounts.allowed "/sw".groups'],
    ['a mount that nobody has allowed', 'image: "lab/x", mounts: [/etc]', 'MOUNT_NOT_ALLOWED mounts.allowed'],
    ['the same by another spelling', 'image: "lab/x", mounts: ["/scratch/../etc"]', 'MOUNT_NOT_ALLOWED mounts.allowed'],
    ['a workdir beside the mounts', 'image: "lab/x", workdir: /tmp', 'WORKDIR_UNUSABLE mounts.allowed'],
    ['too much shared memory', 'image: "lab/x", shmSize: 17g', 'SHM_NOT_ALLOWED container.shmMaxBytes'],
    ['too many hosts', 'image: "lab/x", hosts: 254', 'ALLOCATION_INVALID network.prefixLength'],
    [
      'options of the command line',
      'options: [--image, "lab/x", --shm-size, 17g]',
      'SHM_NOT_ALLOWED container.shmMaxBytes',
    ],
    ['an option that there is not', 'image: "lab/x", options: [--privileged]', 'USAGE '],
    ['an option of Docker with a value', 'image: "lab/x", options: [--pid=host]', 'USAGE '],
    ['a word that is no option', 'image: "lab/x", options: [privileged]', 'USAGE '],
    ['a variable without a name', 'image: "lab/x", environment: {"": x}', 'USAGE '],
    ['too large an environment', `image: "lab/x", environment: {A: "${'x'.repeat(70_000)}"}`, 'REQUEST_INVALID '],
    ['an empty command', 'image: "lab/x", command: " "', 'COMMAND_EMPTY '],
  ])('judges %s', async (_, text, verdict) => {
    expect(await verdictOf(text)).toBe(verdict);
  });

  it.each([
    [
      'a key that there is not',
      'cases:\n- name: a\n  expect: allowed\n  privileged: true',
      /^c:4: cases\[0\]\.privileged: unknown key/,
    ],
    [
      'a misspelt key, once',
      'cases:\n- name: a\n  expct: allowed',
      /^c:3: cases\[0\]\.expct: unknown key; did you mean expect\?\.$/,
    ],
    ['a misspelt default', 'defaults: {usr: x}\ncases: [{name: a, expect: allowed}]', /^c:1: defaults\.usr: .* user/],
    [
      'another expectation',
      'cases:\n- {name: a, expect: yes}',
      /^c:2: cases\[0\]\.expect: expected one of allowed, refused/,
    ],
    ['no case', 'cases: []', /^c:1: cases: expected a list of at least one case/],
    [
      'a list that is none',
      'cases:\n- {name: a, expect: allowed, groups: cfd}',
      /^c:2: .*expected a list of groups, got "cfd"/,
    ],
    ['a case twice', 'cases:\n- {name: a, expect: allowed}\n- {name: a, expect: refused}', /^c:3: .*stands twice: "a"/],
    [
      'two queues',
      'cases:\n- {name: a, expect: allowed,\n   partition: x, queue: y}',
      /^c:3: cases\[0\]\.queue: a job is in one/,
    ],
    ['what is not YAML', 'cases: [', /^c:1: /],
    ['a key of YAML twice', 'cases: []\ncases: []', /^c:2: the key cases stands twice/],
    ['nothing', '', /^c:1: expected a section of keys/],
  ])('refuses a file with %s', (_, text, message) => {
    try {
      parseCases(text, 'c');
    } catch (thrown) {
      const { code, message: told } = asJobError(thrown);
      expect(code).toBe('REQUEST_INVALID');
      expect(told).toMatch(message);
      return;
    }
    expect.unreachable();
  });

  it('lets a case win over the defaults, in either word of two', () => {
    const [one, two] = parseCases(
      'defaults: {image: x, partition: p, user: u}\ncases: [{name: a, application: y, queue: q, expect: allowed}, {name: b, expect: refused}]',
      'c',
    );
    expect(one).toEqual({ name: 'a', application: 'y', queue: 'q', user: 'u', expect: 'allowed' });
    expect(two).toMatchObject({ image: 'x', partition: 'p' });
  });

  it.each([
    ['the rule', 'refused', 'images.allowed "a.b".groups', true],
    ['the entry above it', 'refused', 'images.allowed "a.b"', true],
    ['its section', 'refused', 'images.allowed', true],
    ['its code', 'refused', 'IMAGE_NOT_ALLOWED', true],
    ['no rule', 'refused', undefined, true],
    ['a part of a name', 'refused', 'images.allow', false],
    ['another list', 'refused', 'images.allowed "a.b".users', false],
    ['another code', 'refused', 'MOUNT_NOT_ALLOWED', false],
    ['another verdict', 'allowed', undefined, false],
  ] as const)('takes %s for what a case expects, or not', (_, expected, rule, holds) => {
    const error = new JobError({ code: 'IMAGE_NOT_ALLOWED', message: 'x', rule: 'images.allowed "a.b".groups' });
    expect(isAsExpected({ expect: expected, rule }, { verdict: 'refused', error })).toBe(holds);
  });

  it('holds no case by accident whose user nobody knows', () => {
    const error = new JobError({ code: 'HOST_UNFIT', message: 'x' });
    expect(isAsExpected({ expect: 'refused' }, { verdict: 'refused', error })).toBe(false);
    expect(isAsExpected({ expect: 'refused', rule: 'HOST_UNFIT' }, { verdict: 'refused', error })).toBe(true);
  });
});

describe('a file of cases', () => {
  let directory = '';
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'hpcdj-cases-'));
    await writeFile(join(directory, 'site.yaml'), siteText);
    const cases = `cases:
- {name: good, image: "lab/x", expect: allowed, rule: images.allowed}
- {name: bad, image: "cfd/x", expect: allowed}
`;
    await writeFile(join(directory, 'cases.yaml'), cases);
  });
  afterAll(async () => await rm(directory, { recursive: true, force: true }));

  it('is told case by case, for people and for programs', async () => {
    const sitePath = join(directory, 'site.yaml');
    const result = await testPolicy(join(directory, 'cases.yaml'), sitePath, database);
    expect(renderTest(result).split('\n')).toEqual([
      'ok    good: allowed by images.allowed "lab/*"',
      'FAIL  bad',
      '      expected: allowed',
      '      but it is refused by images.allowed "cfd/*".groups (IMAGE_NOT_ALLOWED)',
      '      Image cfd/x may not be used by this job: it is for the groups cfd.',
      `1 of 2 cases do not hold for ${sitePath}`,
      '',
    ]);
    expect(JSON.parse(testJson(result))).toMatchObject({
      ...{ site: sitePath, holds: false, passed: 1, failed: 1 },
      cases: [
        { name: 'good', holds: true, verdict: 'allowed', rule: 'images.allowed "lab/*"' },
        { name: 'bad', holds: false, verdict: 'refused', code: 'IMAGE_NOT_ALLOWED' },
      ],
    });
  });

  it('is a mistake in the call when it cannot be read', async () => {
    await expect(testPolicy(join(directory, 'none.yaml'))).rejects.toMatchObject({ code: 'USAGE' });
    await expect(testPolicy(directory)).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('of the package holds for the policy of the package, and names every key', async () => {
    const path = (name: string): string => join(import.meta.dirname, '../../../../etc', name);
    const result = await testPolicy(path('policy-cases.yaml'), path('site.yaml'), database);
    expect(renderTest(result)).toMatch(/\nall \d+ cases hold for /);
    const text = await readFile(path('policy-cases.yaml'), 'utf8');
    for (const key of keysOfCases(['cases', 0])) expect(text).toMatch(new RegExp(`^# .*\\b${key}\\b`, 'm'));
    // What stands in comments is right for the policy that the comment names.
    const opened = text.replaceAll(/^( {2})# (?=- | {2}\w)/gm, '$1');
    const open = parseSite(
      'version: 1\nimages: {allowed: [{image: "hpc/*", groups: [cfd], partitions: [gpu]}]}\nmounts: {allowed: [{source: /scratch}]}',
    );
    for (const each of parseCases(opened, 'cases').slice(-2))
      expect(isAsExpected(each, await judgeCase(open, each, database))).toBe(true);
  });
});
