import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { judgeSubmission } from '../../../../src/middleware/slurm/judge-submission.ts';
import { judgeWorkdir } from '../../../../src/middleware/slurm/judge-workdir.ts';
import type { SubmissionInput } from '../../../../src/middleware/slurm/judge-submission.ts';
import type { SlurmSubmission } from '../../../../src/slurm/submit/submission.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'submission-'));
  mkdirSync(at('case'));
  writeFileSync(at('ours.sh'), '#!/bin/sh\nexport X=1\nhpc_submit_dockerjob\n');
  writeFileSync(at('plain.sh'), '#!/bin/sh\nhostname\n');
});
afterEach(() => rmSync(directory, { recursive: true }));
const at = (name: string): string => join(directory, name);

// nobody is on every Debian, in the group nogroup.
const uid = 65_534;
const policy = (more = ''): string => `version: 1
images: {allowed: ["hpc/*", {image: "night/*", partitions: [night]}, {image: "ours/*", groups: [cfd]}]}
applications: {"foam:2": {image: hpc/foam:2}}
mounts: {allowed: [{source: ${directory}}]}
${more}`;

type Change = Partial<SlurmSubmission> & { readonly cwd?: string; readonly uid?: number; readonly site?: string };

async function judge(environment: NodeJS.ProcessEnv, change: Change = {}) {
  const { cwd = directory, uid: whose = uid, site = policy(), ...submission } = change;
  writeFileSync(at('site.yaml'), site);
  const input: SubmissionInput = {
    submission: { kind: 'sbatch', words: ['ours.sh'], ...submission },
    ...{ environment, cwd, uid: whose, verbs: ['explain', 'doctor'], sitePath: at('site.yaml') },
  };
  const verdict = await judgeSubmission(input);
  return verdict.verdict === 'refused' ? verdict.error.code : (verdict.note ?? 'passed');
}

const image = { HPCDJ_IMAGE: 'hpc/a:1' };
const bad = { HPCDJ_IMAGE: 'evil/a:1' };
const called = (words: string): Change => ({ words: [], wrap: `hpc-submit-dockerjob ${words}` });

describe('judgeSubmission', () => {
  it.each<[string, NodeJS.ProcessEnv, Change, string]>([
    ['an allowed image', image, {}, 'passed'],
    ['another image', bad, {}, 'IMAGE_NOT_ALLOWED'],
    ['what is no image', { HPCDJ_IMAGE: 'a b\u001b[2J' }, {}, 'REQUEST_INVALID'],
    ['an image by --export', {}, { export: 'ALL,HPCDJ_IMAGE=evil/a:1' }, 'IMAGE_NOT_ALLOWED'],
    ['an image that is not exported', bad, { export: 'NONE' }, 'passed'],
    ['an image that --export corrects', bad, { export: 'ALL,HPCDJ_IMAGE=hpc/a:1' }, 'passed'],
    ['an application', { APPLICATION: 'foam:2' }, {}, 'passed'],
    ['a misspelt application', { APPLICATION: 'foam:3', COMMAND: 'x' }, {}, 'APPLICATION_UNKNOWN'],
    ['application and image', { ...image, APPLICATION: 'foam:2' }, {}, 'REQUEST_INVALID'],
    ['an empty command', { ...image, COMMAND: '' }, {}, 'COMMAND_EMPTY'],
    ['too long a command', { ...image, COMMAND: 'x'.repeat(200_000) }, {}, 'REQUEST_INVALID'],
    ['a workdir elsewhere', { ...image, JOBDIR: '/usr' }, {}, 'WORKDIR_UNUSABLE'],
    ['too much shared memory', { ...image, SHM_SIZE: '900g' }, {}, 'SHM_NOT_ALLOWED'],
    ['a size that is none', { ...image, SHM_SIZE: 'much' }, {}, 'USAGE'],
    ['no word for standard input', { ...image, HPCDJ_STDIN: 'perhaps' }, {}, 'USAGE'],
    ['too many hosts', image, { nodes: '5000' }, 'ALLOCATION_INVALID'],
    ['a component of a heterogeneous job', image, { component: 1 }, 'ALLOCATION_INVALID'],
    ['root', image, { uid: 0 }, 'NOT_PERMITTED'],
    ['a partition of its image', { HPCDJ_IMAGE: 'night/a:1' }, { partition: 'night' }, 'passed'],
    ['another partition', { HPCDJ_IMAGE: 'night/a:1' }, { partition: 'day' }, 'IMAGE_NOT_ALLOWED'],
    ['one of several partitions', { HPCDJ_IMAGE: 'night/a:1' }, { partition: 'day,night' }, 'passed'],
    ['the default partition', { HPCDJ_IMAGE: 'night/a:1' }, {}, 'passed'],
    ['the image of a group', { HPCDJ_IMAGE: 'ours/a:1' }, {}, 'IMAGE_NOT_ALLOWED'],
    ['a user whom this host does not know', { HPCDJ_IMAGE: 'ours/a:1' }, { uid: 399_999 }, 'passed'],
  ])('judges %s named by the environment', async (_, environment, change, expected) => {
    expect(await judge(environment, change)).toBe(expected);
  });

  it.each<[string, string, Change, string]>([
    ['the image', '--image evil/a:1 -- true', {}, 'IMAGE_NOT_ALLOWED'],
    ['no image', '-- true', {}, 'IMAGE_MISSING_IN_REQUEST'],
    ['a mount', '--image hpc/a:1 --mount /etc -- true', {}, 'MOUNT_NOT_ALLOWED'],
    ['no command', '--image hpc/a:1', {}, 'COMMAND_EMPTY'],
    ['a command without --', '--image hpc/a:1 true', {}, 'USAGE'],
    ['an option that there is not', '--image hpc/a:1 --privileged -- true', {}, 'USAGE'],
    ['the current directory', '--image hpc/a:1 -- true', { cwd: '/usr' }, 'WORKDIR_UNUSABLE'],
    ['a variable of Slurm’s to come', '--image hpc/a:1 --env SLURM_JOB_ID -- true', {}, 'passed'],
    ['another verb', 'doctor --slurm', {}, 'passed'],
    ['help', '--help', {}, 'passed'],
  ])('judges %s of a call that is the whole job', async (_, words, change, expected) => {
    expect(await judge({}, { ...called(words), ...change })).toBe(expected);
  });

  it('refuses several tasks of srun that would each run the job', async () => {
    const words = ['hpc-submit-dockerjob', '--image', 'hpc/a:1', '--', 'true'];
    expect(await judge({}, { kind: 'srun', words, tasks: '2' })).toBe('USAGE');
    expect(await judge({}, { kind: 'srun', words, tasks: '1', nodes: '2-2' })).toBe('USAGE');
    expect(await judge({}, { kind: 'srun', words, tasks: '1', nodes: '1-0' })).toBe('passed');
    expect(await judge(image, { kind: 'srun', words: ['hostname'], tasks: '4' })).toBe('passed');
  });

  it('looks at the workdir where this host has its file system', async () => {
    const mount = { source: directory, target: directory, readOnly: false };
    const facts = { mounts: [mount], uid: process.getuid?.() ?? -1, isSure: true };
    const refused = expect.objectContaining({ code: 'WORKDIR_UNUSABLE' }) as Error;
    expect(await judgeWorkdir(at('case'), facts)).toEqual({});
    await expect(judgeWorkdir(at('none'), facts)).rejects.toEqual(refused);
    await expect(judgeWorkdir(at('plain.sh'), { ...facts, isSure: false })).rejects.toEqual(refused);
    const later = await judgeWorkdir(at('none'), { ...facts, isSure: false });
    expect(later.note).toMatch(/does not exist yet; the job needs it when it starts$/);
    const elsewhere = { ...mount, source: at('away'), target: at('away') };
    expect(await judgeWorkdir(at('away/x'), { ...facts, mounts: [elsewhere] })).toEqual({});
    expect(await judgeWorkdir(at('none'), { ...facts, uid })).toEqual({});
  });

  it.each<[string, NodeJS.ProcessEnv, Change]>([
    ['no variable of ours', { JOBDIR: '/usr', COMMAND: 'x' }, {}],
    ['APPLICATION of another program', { APPLICATION: 'matlab' }, {}],
    ['a script that does not call us', { APPLICATION: 'foam:2', JOBDIR: '/usr' }, { words: ['plain.sh'] }],
    ['a command that does not call us', { APPLICATION: 'x', COMMAND: 'y' }, { words: [], wrap: 'hostname' }],
    ['a program of srun', { APPLICATION: 'x', COMMAND: 'y' }, { kind: 'srun', words: ['/bin/true'] }],
  ])('lets a job pass that does not use us: %s', async (_, environment, change) => {
    expect(await judge(environment, change)).toBe('passed');
    expect(await judge(environment, { ...change, site: 'wrong: [' })).toBe('passed');
  });

  it('judges a script from standard input, and one that cannot be read, by the environment alone', async () => {
    const environment = { APPLICATION: 'foam:3', COMMAND: 'x' };
    expect(await judge(environment, { words: [] })).toBe('APPLICATION_UNKNOWN');
    expect(await judge(environment, { words: ['nowhere.sh'] })).toBe('APPLICATION_UNKNOWN');
    symlinkSync('/dev/zero', at('zero.sh'));
    expect(await judge(environment, { words: ['zero.sh'] })).toBe('APPLICATION_UNKNOWN');
  });

  it('takes the variables of --export-file, and none of a pipe', async () => {
    writeFileSync(at('variables'), 'HPCDJ_IMAGE=evil/b:1\0');
    expect(await judge(image, { exportFile: at('variables') })).toBe('IMAGE_NOT_ALLOWED');
    expect(await judge(bad, { exportFile: '/dev/zero' })).toBe('passed');
    expect(await judge(bad, { exportFile: '12' })).toBe('passed');
  });

  it('leaves to the start what is a fault of the site, and says so', async () => {
    expect(await judge(bad, { site: 'wrong: [' })).toMatch(
      /^the request is judged when the job starts.*CONFIG_INVALID/s,
    );
  });

  it('is switched off by site.yaml', async () => {
    expect(await judge(bad, { site: policy('slurm: {judgeSubmissions: false}') })).toBe('passed');
  });
});
