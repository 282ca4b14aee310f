/** The middleware's wrapper and its Node, called by shells with small limits and odd environments: it starts, or says why not. */
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HeldInstallation } from '../support/held-installation.ts';
import { holdInstallation } from '../support/held-installation.ts';

const prefix = '/opt/hpc-submit-dockerjob';
const program = `${prefix}/bin/hpc-submit-dockerjob`;
const probe = `${prefix}/lib/node_modules/hpc-submit-dockerjob/dist/middleware.cjs`;

/** Stands in the middleware's place; starts what that starts, too. */
const probeText = `
const { execFileSync } = require('node:child_process');
const { accessSync, existsSync, writeSync } = require('node:fs');
const kept = Object.keys(process.env).filter((name) => /^(?:NODE_|OPENSSL)/.test(name));
execFileSync('/bin/true');
writeSync(existsSync('/proc/self/fd/1') ? 1 : 2, ['through', ...kept].join(' ') + '\\n');
`;

let holder: HeldInstallation | undefined;
beforeAll(async () => {
  holder = await holdInstallation();
  await inside(['sh', '-c', 'cat >"$1"', 'write', probe], probeText);
});
afterAll(() => holder?.end());

async function inside(
  argv: readonly string[],
  input = '',
): Promise<{ readonly all: string; readonly exitCode: number | undefined }> {
  const entered = ['--target', String(holder?.pid), '--mount', '--', ...argv];
  const { all, exitCode } = await execa('nsenter', entered, { input, all: true, reject: false, timeout: 50_000 });
  return { all, exitCode };
}

/** Of no other process: a user's limit counts all that he runs. */
const user = [
  'env',
  '--unset=NODE_ENV',
  'setpriv',
  `--reuid=${60_000 + (process.pid % 5000)}`,
  '--regid=65534',
  '--clear-groups',
  '--',
];

/** What a user's bash with these lines before the call sees. */
async function callAfter(lines: string): Promise<{ readonly all: string; readonly exitCode: number | undefined }> {
  return await inside([...user, 'bash', '-c', `${lines}\nexec ${program}`]);
}

describe('the middleware starts', () => {
  it.each([
    ['few open files, soft', 'ulimit -S -n 20'],
    ['few processes, soft', 'ulimit -S -u 6'],
    ['little address space, soft', 'ulimit -S -v 600000'],
    ['little data, soft', 'ulimit -S -d 20000'],
    ['a small stack, soft', 'ulimit -S -s 64'],
    ['little running time, soft', 'ulimit -S -t 1'],
    ['few open files, but enough', 'ulimit -n 64'],
    ['address space for one slot', 'ulimit -v 3000000'],
    ['an unlimited stack', 'ulimit -s unlimited 2>/dev/null || :'],
    ['no file of any size', 'ulimit -f 0'],
    ['no locked memory, no queued signals', 'ulimit -l 0; ulimit -i 0'],
  ])('with %s', async (_, lines) => {
    expect(await callAfter(lines)).toEqual({ all: 'through', exitCode: 0 });
  });

  it.each([
    ['no PATH', 'PATH='],
    ['no HOME', 'unset HOME'],
    ['a HOME that is not there', 'HOME=/nonexistent'],
    ['a TMPDIR that is not there', 'export TMPDIR=/nonexistent'],
    ['an odd locale', 'export LC_ALL=tlh_XX.EUC-KR LANG=xx 2>/dev/null'],
    ['another Node’s options', 'export NODE_OPTIONS=--nonsense NODE_PATH=/x NODE_EXTRA_CA_CERTS=/nonexistent'],
    ['a Node above it', 'export NODE_CHANNEL_FD=5 NODE_V8_COVERAGE=/tmp/x NODE_TEST_CONTEXT=child-v8'],
    ['another OpenSSL’s settings', 'export OPENSSL_CONF=/nonexistent NODE_ICU_DATA=/nonexistent'],
    ['a directory that may not be read', 'd=$(mktemp -d) && cd "$d" && chmod 0 .'],
    ['a closed input', 'exec 0<&-'],
    ['a closed error output', 'exec 2>&-'],
  ])('with %s', async (_, lines) => {
    expect(await callAfter(lines)).toEqual({ all: 'through', exitCode: 0 });
  });

  it('in a directory that is gone', async () => {
    const { all, exitCode } = await callAfter('d=$(mktemp -d) && cd "$d" && rmdir "$d"');
    // dash has a word on it.
    expect([exitCode, all.replace(/^sh: 0: getcwd\(\) failed.*\n/, '')]).toEqual([0, 'through']);
  });

  it('with all three streams closed', async () => {
    expect(await callAfter('exec 0<&- 1>&- 2>&-')).toMatchObject({ exitCode: 0 });
  });
});

describe('the middleware says in words that it cannot start', () => {
  it.each([
    ['open files', 'ulimit -n 20', '-n 20'],
    ['processes', 'ulimit -u 2', '2'],
    ['address space', 'ulimit -v 500000', '-v 500000'],
    ['data', 'ulimit -d 100000', '-d 100000'],
    ['stack', 'ulimit -s 32', '-s 32'],
  ])('with too few or too little: %s', async (_, lines, limit) => {
    const { all, exitCode } = await callAfter(lines);
    expect([exitCode, all.split('\n')]).toEqual([64, [expect.stringMatching(/^hpc-submit-dockerjob: The limits of /)]]);
    expect(all).toContain(limit);
    expect(all).toContain('[USAGE]');
  });
});

it('what is kept from the program’s own Node is there for --env all the same', async () => {
  const root = path.join(import.meta.dirname, '../..');
  const asking = `require('${root}/src/middleware/read-request.ts').readVariables(['NODE_OPTIONS'], process.env)`;
  await inside(['sh', '-c', 'cat >"$1"', 'write', probe], `console.log(JSON.stringify(${asking}));`);
  expect(await callAfter('export NODE_OPTIONS="--max-old-space-size=100 \'x\'"')).toEqual({
    all: JSON.stringify({ NODE_OPTIONS: "--max-old-space-size=100 'x'" }),
    exitCode: 0,
  });
});
