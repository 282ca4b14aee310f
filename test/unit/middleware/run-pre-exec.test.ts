import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runPreExec } from '../../../src/middleware/lsf/run-pre-exec.ts';
import { JobError } from '../../../src/values/errors.ts';
import type { Finding } from '../../../src/contract/finding.ts';
import type { HostQuestion } from '../../../src/contract/host-question.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pre-exec-'));
  await writeFile(
    join(directory, 'site.yaml'),
    'version: 1\nimages: {allowed: ["hpc/*"]}\nlsf: {queues: {cfd: {image: "hpc/foam:1"}}}\n',
  );
});
afterAll(() => rm(directory, { recursive: true }));

const job = { LSB_JOBID: '7', LSB_JOBINDEX: '0', LSB_MCPU_HOSTS: 'n1 2 n2 2 ' };
const failed = (check: string, code: string): Finding => ({ check, code, verdict: 'fail', message: `${check} is bad` });

async function preExec(
  environment: NodeJS.ProcessEnv,
  answer: readonly Finding[] | Error = [],
  options: { readonly image?: string } = {},
): Promise<{ status: number; said: string; asked: HostQuestion | undefined }> {
  let asked: HostQuestion | undefined;
  const said: string[] = [];
  const status = await runPreExec({
    options,
    environment: { ...job, ...environment },
    sitePath: join(directory, environment['SITE'] ?? 'site.yaml'),
    askHost: (question) => {
      asked = question;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    say: (line) => said.push(line),
  });
  return { status, said: said.join('\n'), asked };
}

describe('runPreExec', () => {
  it.each([
    ['a job that names nothing', {}, {}, { scope: 'quick', hostCount: 2 }],
    ['an alias', { HPCDJ_IMAGE: 'hpc/a:1' }, {}, { scope: 'quick', hostCount: 2, image: 'hpc/a:1' }],
    ['a queue with an image', { LSB_QUEUE: 'cfd' }, {}, { scope: 'quick', hostCount: 2, image: 'hpc/foam:1' }],
    ['an image in lsb.queues', {}, { image: 'hpc/b:1' }, { scope: 'quick', hostCount: 2, image: 'hpc/b:1' }],
    ['one host', { LSB_MCPU_HOSTS: 'n1 4 ' }, {}, { scope: 'quick', hostCount: 1 }],
    ['an allocation that cannot be read', { LSB_MCPU_HOSTS: 'n1 x' }, {}, { scope: 'quick', hostCount: 1 }],
  ])('starts %s on a host that is fit for it', async (_, environment, options, question) => {
    const { status, said, asked } = await preExec(
      environment,
      [{ check: 'engine', verdict: 'ok', message: '' }],
      options,
    );
    expect({ status, said, asked }).toEqual({ status: 0, said: '', asked: question });
  });

  it('cancels a job whose image is not allowed, without asking the host', async () => {
    const { status, said, asked } = await preExec({ HPCDJ_IMAGE: 'evil/a:1' });
    expect({ status, asked }).toEqual({ status: 99, asked: undefined });
    expect(said).toContain('[IMAGE_NOT_ALLOWED]');
  });

  it.each([
    ['98', 98],
    ['', 99],
    ['0', 99],
    ['1e3', 99],
    ['x', 99],
  ])('cancels by the number that LSF names: %j', async (value, expected) => {
    expect((await preExec({ HPCDJ_APPLICATION: 'no:1', LSB_EXIT_PRE_ABORT: value })).status).toBe(expected);
  });

  it.each([
    ['an engine that is away', [failed('engine', 'ENGINE_UNREACHABLE')], 69],
    ['an image that this host lacks', [failed('image', 'IMAGE_NOT_PRESENT')], 69],
    ['a store that is away', [failed('store', 'STORE_UNREACHABLE')], 75],
    ['a store and an engine', [failed('store', 'STORE_UNREACHABLE'), failed('engine', 'HOST_UNFIT')], 69],
    ['an image that the helper refuses', [failed('image', 'IMAGE_NOT_ALLOWED')], 99],
    ['no sudo rule', new JobError({ code: 'HELPER_UNAVAILABLE', message: 'no rule' }), 69],
  ])('answers to %s with the status that LSF acts on', async (_, answer, expected) => {
    const { status, said } = await preExec({}, answer);
    expect(status).toBe(expected);
    expect(said).toMatch(/\[[A-Z_]+\]$/);
  });

  it.each([
    ['a fault of its own', new TypeError('x is not a function'), 70],
    ['a check that broke', [failed('engine', 'BUG')], 70],
    ['a check that broke beside a fault of the host', [failed('store', 'BUG'), failed('engine', 'HOST_UNFIT')], 69],
  ])('bars no host for %s', async (_, answer, expected) => {
    expect((await preExec({}, answer)).status).toBe(expected);
  });

  it('takes a policy that cannot be read for a fault of the host', async () => {
    const { status, said } = await preExec({ SITE: 'none.yaml' });
    expect(status).toBe(69);
    expect(said).toContain('[CONFIG_INVALID]');
  });
});
