/**
 * The attacker wants root's side to believe a request: of another job, of other hosts, of forbidden images, mounts and
 * directories, in texts that could be taken for options, lines or paths, or in bytes that are no request at all. All are
 * sent from within one job of alice's, where a true request would be served.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { productRoot, sharedPaths } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { findLastingLeftovers, startBatch } from '../support/e2e-jobs.ts';
import { readScratchFile } from '../support/lab-job.ts';
import { e2eLab, jobDirectory } from '../support/e2e-lab.ts';

const helper = `${productRoot}/bin/hpc-dockerjob-helper`;
/** The script puts the id of its own job in. */
const ownJob = '@JOB@';

const honest = {
  protocol: 1,
  launchId: '0123456789abcdef',
  scheduler: 'slurm',
  schedulerJobId: ownJob,
  job: ownJob,
  hosts: [{ name: 'node1', slots: 1 }],
  image: 'lab/tiny:1',
  command: { kind: 'argv', argv: ['true'] },
  workdir: '/scratch',
  environment: {},
  mounts: [],
};

interface Attack {
  /** What the attacker wants, and the bytes that shall bring it. */
  readonly bytes: string | Buffer;
  readonly status: number;
  readonly says?: RegExp;
}

const ask = (change: Readonly<Record<string, unknown>>): string => `${JSON.stringify({ ...honest, ...change })}\n`;
const refused = (bytes: string | Buffer, status: number, says?: RegExp): Attack =>
  says === undefined ? { bytes, status } : { bytes, status, says };
const withHosts = (...names: readonly string[]): string => ask({ hosts: names.map((name) => ({ name, slots: 1 })) });

const ids = [
  '',
  '0',
  '-1',
  '--help',
  '1,2',
  '1 2',
  '1\u0000',
  '1\n',
  '../1',
  '1e3',
  '٣',
  '99999999999999999999',
  '1_2_3',
];
const images = [
  ...['secret/x:1', 'library/lab/tiny:1', 'evil.example/lab/tiny:1', 'LAB/tiny:1', 'lab/tiny', 'lab/tiny:2'],
  ...['lab/../secret/x:1', 'lab//tiny:1', '-lab/tiny:1', 'lab/tiny:1\nsecret/x:1', 'lab/tiny:1 secret/x:1'],
  ...[`sha256:${'0'.repeat(64)}`, '0123456789ab', `lab/tiny@sha256:${'0'.repeat(64)}`, 'lab/\u212Aelvin:1', ''],
  `lab/${'x'.repeat(500)}:1`,
];
const sources = [
  '/',
  '/etc',
  '/scratch/..',
  '/scratch/../etc',
  '//scratch',
  '/scratch/',
  '/scratch/x',
  '/scratch\n/etc',
];
const workdirs = [
  '',
  'scratch',
  '/scratch/../etc',
  '/etc',
  '/scratchx',
  '/scratch\n',
  '/scratch\u2028x',
  '/root',
  `/${'a/'.repeat(3000)}`,
];

const attacks: Readonly<Record<string, Attack>> = {
  ...Object.fromEntries(
    ids.map((id) => [`a job called ${JSON.stringify(id)}`, refused(ask({ job: id, schedulerJobId: id }), 65)]),
  ),
  'the job of another user, which exists': refused(ask({ job: '1', schedulerJobId: '1' }), 77, /JOB_NOT_YOURS/),
  'a job that does not exist': refused(ask({ job: '88888888', schedulerJobId: '88888888' }), 77),
  'another name for the own job': refused(ask({ job: `${ownJob}_5` }), 77, /JOB_NOT_YOURS/),
  'the id of an array that is another job': refused(ask({ schedulerJobId: '1' }), 77),
  'another scheduler, which this site does not serve': refused(ask({ scheduler: 'lsf' }), 69),
  'a scheduler out of the prototype': refused(ask({ scheduler: '__proto__' }), 65),
  'a host more': refused(withHosts('node1', 'node2'), 77, /JOB_NOT_YOURS/),
  'another host instead': refused(withHosts('node2'), 77, /JOB_NOT_YOURS/),
  'its host twice': refused(withHosts('node1', 'node1'), 77),
  'an option of ssh for a host': refused(withHosts('-oProxyCommand=touch x'), 65),
  'a host with a line end': refused(withHosts('node1\nnode2'), 65),
  'no host': refused(ask({ hosts: [] }), 65),
  'twenty thousand hosts': refused(withHosts(...Array.from({ length: 20_000 }, (_, index) => `n${index}`)), 65),
  'more slots than there are numbers for': refused(ask({ hosts: [{ name: 'node1', slots: 65_537 }] }), 65),
  ...Object.fromEntries(
    images.map((image) => [`the image ${JSON.stringify(image.slice(0, 60))}`, { bytes: ask({ image }), status: 0 }]),
  ),
  'an application out of the prototype': refused(
    ask({ image: undefined, application: '__proto__' }),
    65,
    /APPLICATION_UNKNOWN/,
  ),
  'an application called constructor': refused(ask({ image: undefined, application: 'constructor' }), 65),
  'application and image together': { bytes: ask({ application: 'openfoam:2.3.0' }), status: 0 },
  ...Object.fromEntries(
    sources.map((source) => [`the mount ${JSON.stringify(source)}`, { bytes: ask({ mounts: [source] }), status: 0 }]),
  ),
  'sixty-five mounts': refused(ask({ mounts: Array.from({ length: 65 }, () => '/scratch') }), 65),
  ...Object.fromEntries(
    workdirs.map((workdir) => [
      `the directory ${JSON.stringify(workdir.slice(0, 40))}`,
      { bytes: ask({ workdir }), status: 0 },
    ]),
  ),
  ...Object.fromEntries(
    ['A=B', 'A\nB', '', '1A', '__proto__ ', 'A B', 'ä'].map((name) => [
      `a variable called ${JSON.stringify(name)}`,
      refused(ask({ environment: { [name]: 'x' } }), 65),
    ]),
  ),
  'a variable with a NUL': refused(ask({ environment: { A: 'x\u0000y' } }), 65),
  'an empty command': refused(ask({ command: { kind: 'argv', argv: [] } }), 65),
  'a blank command': refused(ask({ command: { kind: 'shell', text: ' \t' } }), 65),
  'a command with a NUL': refused(ask({ command: { kind: 'argv', argv: ['a\u0000b'] } }), 65),
  'a command of 4,097 words': refused(
    ask({ command: { kind: 'argv', argv: Array.from({ length: 4097 }, () => 'x') } }),
    65,
  ),
  'a command that comes later': refused(ask({ command: { kind: 'later' } }), 65),
  'to be uid 0': refused(ask({ uid: 0 }), 65),
  'a user of its own choice': refused(ask({ user: { uid: 2002, gid: 0 } }), 65),
  'a privileged container': refused(ask({ privileged: true }), 65),
  'another release of the protocol': refused(ask({ protocol: 2 }), 65),
  'a launch id with a path': refused(ask({ launchId: '../../../../x' }), 65),
  nothing: refused('', 64),
  'an empty line': refused('\n', 65),
  null: refused('null\n', 65),
  'a number without end': refused('1e999999\n', 65),
  'a list without end': refused(`${'['.repeat(400_000)}\n`, 65),
  'the same key twice': refused(`{"uid":0,${ask({}).slice(1)}`, 65),
  'no text at all': refused(Buffer.alloc(900_000, 0xff), 64),
  'two mebibytes in one line': refused(Buffer.alloc(2 * 1024 * 1024, 0x61), 64),
  'a request without its line end': refused(ask({}).trim().slice(0, -1), 65),
};

/** What is refused by policy or by form; which of both is for the unit tests. */
const byRule = [65, 77];

let lab: Lab;
const answers = new Map<string, { readonly status: number; readonly text: string }>();
const names = Object.keys(attacks);

beforeAll(async () => {
  lab = await e2eLab();
  const directory = jobDirectory('alice');
  const here = directory.replace('/scratch', sharedPaths(lab.layout).scratch);
  await mkdir(`${here}/requests`, { recursive: true });
  await Promise.all(
    names.map(async (name, index) => await writeFile(`${here}/requests/${index}`, attacks[name]?.bytes ?? '')),
  );
  await mustRun(lab, 'node1', ['chown', '-R', 'alice:', directory]);
  const script = `set -o pipefail; cd requests
for file in $(ls | sort -n); do
  LC_ALL=C sed "s/${ownJob}/$SLURM_JOB_ID/g" $file | timeout 30 sudo -n ${helper} open-job 2>&1 | cat >$file.out
  echo "$file $?" >>../statuses
done
echo through`;
  const job = await startBatch(lab, script, { directory, sbatch: ['-N1', '-n1', '--nodelist=node1'] });
  await job.end(240_000);
  const statuses = (await readScratchFile(lab, `${directory}/statuses`)).toString().trim().split('\n');
  for (const line of statuses) {
    const [index = '', status = ''] = line.split(' ');
    const text = (await readScratchFile(lab, `${directory}/requests/${index}.out`)).toString();
    answers.set(names[Number(index)] ?? '', { status: Number(status), text });
  }
}, 300_000);

afterAll(async () => {
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

describe('a forged request', () => {
  it.each(names)('for %s is refused with a reason, and opens nothing', (name) => {
    const { status, says } = attacks[name] ?? { status: -1 };
    const answer = answers.get(name);
    expect(status === 0 ? byRule : [status]).toContain(answer?.status);
    expect(answer?.text).not.toContain('"event":"opened"');
    expect(answer?.text).toMatch(says ?? /"code":"[A-Z_]+"/);
  });
});
