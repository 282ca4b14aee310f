/** A wrong request is refused by sbatch, srun and salloc themselves, in the words of the start; all else is let through. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import { findLeftovers } from '../../lab/find-leftovers.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { e2eLab, jobDirectory, runBatch } from '../support/e2e-lab.ts';
import { changeSite } from '../support/e2e-site.ts';

const host = 'node1';
const filter = '/etc/slurm/cli_filter.lua';
/** The site's own functions; every program that the filter starts leaves a line. */
const ofSite = `
local popen = io.popen
io.popen = function(...)
  local log = io.open("/tmp/cli-filter-calls", "a")
  log:write("called\\n")
  log:close()
  return popen(...)
end
function slurm_cli_setup_defaults() return slurm.SUCCESS end
function slurm_cli_pre_submit(options)
  if options["comment"] == "site-refuses" then return slurm.ERROR end
  return slurm.SUCCESS
end
function slurm_cli_post_submit() return slurm.SUCCESS end
`;
const setUp = ['/opt/hpc-submit-dockerjob/bin/hpc-dockerjob-setup', 'slurm'] as const;
const files = async (): Promise<string> =>
  await mustRun(lab, host, ['sh', '-c', 'cd /etc/slurm && sha256sum *.conf *.lua']);

let lab: Lab;
let before: string;
beforeAll(async () => {
  lab = await e2eLab();
  await mustRun(lab, host, ['sh', '-c', `cat >${filter}`], ofSite);
  before = await files();
  await mustRun(lab, host, [...setUp, '--install']);
});
afterAll(async () => {
  await mustRun(lab, host, [...setUp, '--remove']);
  expect(await files()).toBe(before);
  await mustRun(lab, host, ['sh', '-c', `rm -f ${filter} /tmp/cli-filter-calls; scancel --user=alice`]);
});

interface Call {
  readonly set?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly input?: string;
}

const directory = jobDirectory();

/** Calls a command of Slurm as a user, in a directory that containers see; says how it ended and how many programs the filter ran. */
async function call(argv: readonly string[], { set = {}, user = 'alice', input = '' }: Call = {}) {
  const log = '/tmp/cli-filter-calls';
  await mustRun(lab, host, ['sh', '-c', `: >${log}; chmod 666 ${log}; install -d -o ${user} ${directory}-${user}`]);
  const variables = Object.entries(set).map(([name, value]) => `${name}=${value}`);
  const result = await execOnHost(lab, host, {
    ...{ user, cwd: `${directory}-${user}`, input },
    argv: ['env', ...variables, ...argv],
  });
  const calls = (await mustRun(lab, host, ['cat', log])).split('\n').filter(Boolean).length;
  return { ...result, calls };
}

const held = ['sbatch', '--hold', '-n1', '--output=/dev/null'] as const;
const wrap = (text: string): readonly string[] => [...held, '--wrap', text];
const run = 'hpc-submit-dockerjob --quiet';

describe('a submission to Slurm', () => {
  it.each([
    ['an image', { HPCDJ_IMAGE: 'evil/x:1' }, wrap('hpc-submit-dockerjob -- true'), 'IMAGE_NOT_ALLOWED'],
    ['an image by --export', {}, [...held, '--export=ALL,HPCDJ_IMAGE=evil/x:1', '--wrap', 'x'], 'IMAGE_NOT_ALLOWED'],
    [
      'an application',
      { APPLICATION: 'openfoam:9', COMMAND: 'x' },
      wrap('hpc_submit_dockerjob'),
      'APPLICATION_UNKNOWN',
    ],
    ['a workdir', { HPCDJ_IMAGE: 'lab/mpi:1', JOBDIR: '/usr' }, wrap(`x && ${run} -- true`), 'WORKDIR_UNUSABLE'],
    ['shared memory', { HPCDJ_IMAGE: 'lab/mpi:1', SHM_SIZE: '99g' }, wrap('x'), 'SHM_NOT_ALLOWED'],
    ['a mount', {}, wrap(`${run} --image lab/mpi:1 --mount /etc -- true`), 'MOUNT_NOT_ALLOWED'],
    ['an empty command', { HPCDJ_IMAGE: 'lab/mpi:1', COMMAND: '' }, wrap('x'), 'COMMAND_EMPTY'],
    ['an image of srun', {}, ['srun', '-n1', ...`${run} --image evil/x:1 -- true`.split(' ')], 'IMAGE_NOT_ALLOWED'],
    ['an image of salloc', { HPCDJ_IMAGE: 'evil/x:1' }, ['salloc', '-n1', 'true'], 'IMAGE_NOT_ALLOWED'],
    ['two tasks of srun', {}, ['srun', '-N2', '-n2', ...`${run} --image lab/mpi:1 -- true`.split(' ')], 'USAGE'],
    ['two components', { HPCDJ_IMAGE: 'lab/mpi:1' }, [...held, ':', '-n1', '--wrap', 'x'], 'ALLOCATION_INVALID'],
  ] as const)('is refused for %s', async (_, set, argv, code) => {
    const { exitCode, stdout, stderr } = await call(argv, { set });
    expect(stderr).toContain(`[${code}]`);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  });

  it('is refused in the words in which the job would be refused when it starts', async () => {
    const wrong = `${run} --image evil/x:1 -- true`;
    const { stderr } = await call(wrap(wrong));
    // A script is not looked into.
    const job = await runBatch(lab, wrong, { sbatch: ['-N1', '-n1'] });
    expect(stderr.split('\n')[0]).toBe(job.stderr.trim());
    expect(job.stderr).toContain('[IMAGE_NOT_ALLOWED]');
  });

  it.each([
    ['without anything of ours', {}, wrap('hostname'), 0],
    ['with COMMAND and JOBDIR of another program', { COMMAND: 'x', JOBDIR: '/usr' }, wrap('hostname'), 0],
    ['with APPLICATION of another program', { APPLICATION: 'matlab', JOBDIR: '/usr' }, wrap('hostname'), 1],
    [
      'with APPLICATION and a script without us',
      { APPLICATION: 'openfoam:2.3.0', JOBDIR: '/usr' },
      wrap('hostname'),
      1,
    ],
    ['that may run', { HPCDJ_IMAGE: 'lab/mpi:1', COMMAND: 'true' }, wrap('hpc-submit-dockerjob'), 1],
  ] as const)('%s passes', async (_, set, argv, calls) => {
    expect(await call(argv, { set })).toMatchObject({ exitCode: 0, stderr: '', calls });
  });

  it('keeps what the site’s own functions say', async () => {
    expect(await call([...held, '--comment=site-refuses', '--wrap', 'x'])).toMatchObject({ exitCode: 1, calls: 0 });
  });

  it('reads nothing of a script on standard input', async () => {
    const script = '#!/bin/sh\nhpc-submit-dockerjob -- true\n';
    const { stdout, exitCode } = await call(held, { set: { HPCDJ_IMAGE: 'lab/mpi:1' }, input: script });
    expect(exitCode).toBe(0);
    const id = /\d+/.exec(stdout)?.[0] ?? '';
    expect(await mustRun(lab, host, ['scontrol', 'write', 'batch_script', id, '-'])).toContain(script.trim());
  });

  it.each([
    ['a quote', { HPCDJ_IMAGE: "x'; touch /tmp/owned; '" }, 'IMAGE_REFERENCE_INVALID'],
    ['an expansion', { HPCDJ_IMAGE: '$(touch /tmp/owned)`touch /tmp/owned`' }, 'IMAGE_REFERENCE_INVALID'],
    ['letters that steer a terminal', { HPCDJ_IMAGE: 'x\u001b[2J\u0007' }, 'REQUEST_INVALID'],
    ['an endless name', { HPCDJ_IMAGE: 'x'.repeat(100_000) }, 'REQUEST_INVALID'],
  ])('is refused, and no more, for %s', async (_, set, code) => {
    for (const argv of [wrap('x'), [...held, `--export=ALL,HPCDJ_IMAGE=${set.HPCDJ_IMAGE}`, '--wrap', 'x']]) {
      const { exitCode, stderr } = await call(argv, { set });
      expect.soft(exitCode).toBe(1);
      expect.soft(stderr).toContain(`[${code}]`);
      expect.soft(stderr).not.toMatch(/[\u0007\u001b]/);
      expect.soft(stderr.length).toBeLessThan(2000);
    }
    expect((await execOnHost(lab, host, { argv: ['ls', '/tmp/owned'] })).exitCode).not.toBe(0);
  });

  it.each([
    ['a preload that is not there', { LD_PRELOAD: '/nowhere.so' }],
    ['options for Node', { NODE_OPTIONS: '--require /nowhere.js' }],
    ['no PATH', { PATH: '' }],
    ['a start-up file of the shell', { ENV: '/nowhere', BASH_ENV: '/nowhere' }],
  ])('is judged all the same with %s', async (_, set) => {
    const argv = ['/usr/bin/sbatch', ...wrap('x').slice(1)];
    const { stderr, exitCode } = await call(argv, { set: { ...set, HPCDJ_IMAGE: 'evil/x:1' } });
    expect(stderr).toContain('[IMAGE_NOT_ALLOWED]');
    expect(exitCode).toBe(1);
  });

  it('passes where it cannot be judged, and says so', async () => {
    const image = { HPCDJ_IMAGE: 'evil/x:1' };
    const too = await call([...held, `--comment=${'c'.repeat(100)}`, '--wrap', `x ${"'".repeat(50_000)}`], {
      set: image,
    });
    expect(too).toMatchObject({ exitCode: 0, calls: 0 });
    expect(too.stderr).toContain('note: the request is judged when the job starts');
    const limits = ['sh', '-c', 'ulimit -v 200000; exec "$@"', 'sh', ...wrap('x')];
    expect((await call(limits, { set: image })).exitCode).toBe(0);
    await using _site = await changeSite(lab, { nonsense: true }, [host]);
    const faulty = await call(wrap('x'), { set: image });
    expect(faulty.exitCode).toBe(0);
    expect(faulty.stderr).toMatch(/note: the request is judged when the job starts.*CONFIG_INVALID/s);
  });

  it('is judged no more where site.yaml says so', async () => {
    await using _site = await changeSite(lab, { slurm: { judgeSubmissions: false } }, [host]);
    expect(await call(wrap('x'), { set: { HPCDJ_IMAGE: 'evil/x:1' } })).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it('is judged for the user for whom root submits it', async () => {
    const site = { images: { allowed: [{ image: 'lab/mpi:1', users: ['alice'] }] } };
    await using _site = await changeSite(lab, site, [host]);
    const as = async (...who: readonly string[]) =>
      await call([...held, ...who, '--wrap', 'x'], { user: 'root', set: { HPCDJ_IMAGE: 'lab/mpi:1' } });
    expect((await as('--uid=alice')).exitCode).toBe(0);
    expect((await as('--uid=bob')).stderr).toContain('[IMAGE_NOT_ALLOWED]');
    expect((await as()).stderr).toContain('[NOT_PERMITTED]');
  });

  it('is one process less for the steps of a running job', async () => {
    await mustRun(lab, host, ['sh', '-c', ': >/tmp/cli-filter-calls; chmod 666 /tmp/cli-filter-calls']);
    const script = 'set -e\nexport HPCDJ_IMAGE=lab/mpi:1\nhpc-submit-dockerjob -- echo ran\nsrun -n1 true';
    const job = await runBatch(lab, script, { sbatch: ['-N1', '-n1', `--nodelist=${host}`] });
    expect(job).toMatchObject({ state: 'COMPLETED', stdout: 'ran' });
    expect(await mustRun(lab, host, ['cat', '/tmp/cli-filter-calls'])).toBe('');
    expect(await findLeftovers(lab)).toEqual([]);
  });
});
