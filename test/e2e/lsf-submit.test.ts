/** `bsub -a NAME`, job starters and what the esub makes of submissions, from bsub to the container. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import { productRoot } from '../../lab/layout.ts';
import { binaryDir, configDir, kitDir, renderQueue, serverDir } from '../../lab/lsf/lsf-files.ts';
import { writeLsfFile } from '../../lab/lsf/install-lsf.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { changeSite, quickSite } from '../support/e2e-site.ts';
import {
  configureLsf,
  findLsfLeftovers,
  lsfLab,
  onThreeHosts,
  postExec,
  submitCommand,
  submitScript,
} from '../support/lsf-lab.ts';
import type { Ended } from '../support/lab-job.ts';
import type { BsubOptions, LsfState } from '../support/lsf-lab.ts';

let lab: Lab;
const undo = new AsyncDisposableStack();
const starter = `JOB_STARTER = ${productRoot}/bin/hpc-submit-dockerjob starter`;
const inDockerQueue = ['-q', 'docker', '-n1'];

beforeAll(async () => {
  lab = await lsfLab('plain');
  await configureLsf(lab, [
    renderQueue('normal', [postExec]),
    renderQueue('docker', [postExec, starter]),
    renderQueue('plain', [postExec, starter]),
  ]);
  await installEsubs();
  undo.use(
    await changeSite(lab, {
      ...quickSite,
      applications: {
        capped: { image: 'lab/mpi:1', lsf: { queue: 'docker', resReq: 'span[ptile=1]', runLimitSeconds: 120 } },
      },
      lsf: {
        aliases: {
          'docker-cs7': { image: 'lab/mpi:1' },
          'docker-bad': { image: 'evil/x:1' },
          'docker-gone': { image: 'lab/gone:1' },
          capped: { application: 'capped' },
        },
        queues: { docker: { image: 'lab/mpi:1' } },
        passEnvironment: ['GREETING'],
      },
    }),
  );
});
afterAll(async () => await undo.disposeAsync());
afterEach(async () => expect(await findLsfLeftovers(lab)).toEqual([]));

/** As docs/lsf.md says: one link for every submission, one for each alias. */
async function installEsubs(): Promise<void> {
  const names = ['hpcdocker', 'docker', 'docker-cs7', 'docker-bad', 'docker-gone', 'capped'];
  const files = ['esub', ...names.map((name) => `esub.${name}`)].map((name) => `${serverDir}/${name}`);
  const link = `for file; do ln -sfn ${kitDir}/esub.hpcdocker "$file"; done`;
  for (const { name } of [lab.head, ...lab.nodes]) await mustRun(lab, name, ['sh', '-c', link, 'link', ...files]);
  undo.defer(async () => {
    for (const { name } of [lab.head, ...lab.nodes]) await mustRun(lab, name, ['rm', '-f', ...files]);
  });
  const conf = await mustRun(lab, 'node1', ['cat', `${configDir}/lsf.conf`]);
  await writeLsfFile(lab, `${configDir}/lsf.conf`, `${conf}\nLSB_ESUB_METHOD="hpcdocker"\n`);
  undo.defer(async () => await writeLsfFile(lab, `${configDir}/lsf.conf`, conf));
}

async function run(
  command: readonly string[],
  options: BsubOptions,
): Promise<Ended<LsfState> & { readonly id: string; readonly said: string }> {
  const { exitCode, text, job } = await submitCommand(lab, command, options);
  if (job === undefined) throw new Error(`bsub ended with ${exitCode}: ${text}`);
  return { ...(await job.end()), id: job.id, said: text };
}

describe('bsub -a', () => {
  it('runs the command in the image of the alias, on every host of the job', async () => {
    const ended = await run(['mpirun', 'hostname'], { bsub: ['-a', 'docker-cs7', '-q', 'docker', ...onThreeHosts] });
    expect(ended).toMatchObject({ stat: 'DONE', exitCode: 0 });
    for (const index of [0, 1, 2]) expect(ended.stdout).toContain(`${ended.id}-node-${index}`);
  });

  it('hands the command on word by word, with the variables that the site passes on', async () => {
    const ended = await run([`printf '<%s>' "a  b" "\\$GREETING" '*' "$(echo x)"`], {
      bsub: ['-a', 'docker-cs7', ...inDockerQueue],
      environment: { GREETING: 'hello you' },
    });
    expect(ended.stdout).toContain('<a  b><$GREETING><*><x>');
    const shown = await run([`sh -c 'printf "<%s>" "$GREETING" "$SECRET"'`], {
      bsub: ['-a', 'docker-cs7', ...inDockerQueue],
      environment: { GREETING: 'hello you', SECRET: 'x' },
    });
    expect(shown.stdout).toContain('<hello you><>');
  });

  it('is refused when a second command would run on the host itself', async () => {
    const argv = [`echo "a  b" $HOSTNAME; id`];
    const { exitCode, text, job } = await submitCommand(lab, argv, { bsub: ['-a', 'docker-cs7', ...inDockerQueue] });
    expect([exitCode, job]).toEqual([255, undefined]);
    expect(text).toContain('only the first command would run in the image, and on the host itself: id.');
    expect(text).toContain('Request aborted by esub');
  });

  it('ends with the status of the command', async () => {
    const ended = await run([`sh -c 'exit 9'`], { bsub: ['-a', 'docker-cs7', ...inDockerQueue] });
    expect(ended).toMatchObject({ stat: 'EXIT', exitCode: 9 });
  });

  it('works from an empty environment', async () => {
    const directory = '/scratch/empty-environment';
    await mustRun(lab, 'node1', ['install', '-d', '-o', 'alice', '-g', 'alice', directory]);
    const bsub = [`${binaryDir}/bsub`, '-K', '-o', 'out', '-a', 'docker-cs7', ...inDockerQueue, 'hostname'];
    const { exitCode } = await execOnHost(lab, 'node1', {
      user: 'alice',
      cwd: directory,
      argv: ['env', '-i', ...bsub],
    });
    expect(exitCode).toBe(0);
    await expect.poll(() => mustRun(lab, 'node1', ['cat', `${directory}/out`])).toMatch(/^\d+-node-0$/m);
  });

  it('sends a job of an application to its queue, with its run limit, and says so', async () => {
    const ended = await run(['mpirun', 'hostname'], { bsub: ['-a', 'capped', '-n2', '-W', '10'] });
    expect(ended.said).toContain('note: queue docker, as the site wants for it');
    expect(ended.said).toContain('note: run limit 2 min, the most for it');
    expect(ended.said).toContain('is submitted to queue <docker>');
    expect(ended.stdout).toContain(`${ended.id}-node-1`);
  });

  it.each([
    ['an image that is not allowed', ['-a', 'docker-bad', '-q', 'docker'], 'Image evil/x:1 is not allowed'],
    ['a name that the site does not have', ['-a', 'docker-cs8', '-q', 'docker'], 'Did you mean "docker-cs7"?'],
    ['a queue that would run it on the host', ['-a', 'docker-cs7', '-q', 'normal'], 'Queue normal has no job starter'],
    ['the default queue, for the same reason', ['-a', 'docker-cs7'], 'The default queue has no job starter'],
    ['a login shell', ['-a', 'docker-cs7', '-q', 'docker', '-L', '/bin/bash'], 'bsub -L does not go with'],
  ])('refuses %s', async (_, bsub, message) => {
    const { exitCode, text, job } = await submitCommand(lab, ['hostname'], { bsub });
    expect(text).toContain(message);
    expect(text).toContain('Request aborted by esub. Job not submitted.');
    expect([exitCode, job]).toEqual([255, undefined]);
  });

  it('says which image a host does not have', async () => {
    const ended = await run(['hostname'], { bsub: ['-a', 'docker-gone', ...inDockerQueue] });
    expect(ended).toMatchObject({ stat: 'EXIT', exitCode: 65 });
    expect(ended.stderr).toContain('Image lab/gone:1 is not present on host');
  });
});

describe("bsub -a 'NAME(IMAGE)'", () => {
  it('runs the command in that image on all hosts, and ends with its status', async () => {
    const command = ['mpirun', 'sh', '-c', "'hostname; exit 3'"];
    const ended = await run(command, { bsub: ['-a', 'docker( lab/mpi:1 )', ...onThreeHosts, '-q', 'docker'] });
    const hosts = [0, 1, 2].map((node) => `${ended.id}-node-${node}`);
    for (const host of hosts) expect(ended.stdout).toMatch(new RegExp(`^${host}$`, 'm'));
    expect(ended).toMatchObject({ stat: 'EXIT', exitCode: 3 });
  });

  it('does so for a script that says it itself', async () => {
    const script = '#BSUB -a \'docker(lab/mpi:1)\'\necho "on $(hostname)"';
    const job = await submitScript(lab, script, { bsub: ['-q', 'plain', '-n1'] });
    expect((await job.end()).stdout).toContain(`on ${job.id}-node-0`);
  });

  it.each([
    ['an image that the site does not allow', 'docker(evil/x:1)', 'Image evil/x:1 is not allowed'],
    ['an option', 'docker(--privileged)', 'is not an image reference'],
    ['a line end', 'docker(lab/mpi:1\nLSB_SUB_QUEUE="normal")', 'a parenthesis is not closed'],
    ['two images', 'docker(lab/mpi:1,lab/tiny:1)', 'these are 2 images'],
    ['none', 'docker()', 'no image stands in the parentheses'],
    ['an argument for an esub that is not there', 'dokcer(lab/mpi:1)', 'Did you mean "docker"?'],
  ])('refuses %s', async (_, additional, message) => {
    const { exitCode, text, job } = await submitCommand(lab, ['hostname'], {
      bsub: ['-a', additional, ...inDockerQueue],
    });
    expect(text).toContain(message);
    expect(text).toContain('Request aborted by esub. Job not submitted.');
    expect([exitCode, job]).toEqual([255, undefined]);
  });

  it('cannot get by what the hosts decide: a user who goes past the esub is refused there', async () => {
    const bsub = ['-a', 'docker(evil/x:1)', '-q', 'plain', '-n1'];
    const environment = { LSF_SERVERDIR: '/tmp', LSB_ESUB_METHOD: 'nosuch', HPCDJ_IMAGE: 'evil/x:1' };
    const ended = await run(['hostname'], { bsub, environment });
    expect(ended).toMatchObject({ stat: 'EXIT', exitCode: 77 });
    expect(ended.stderr).toContain('Image evil/x:1 is not allowed');
  });
});

describe('a queue with the job starter', () => {
  it('runs a job that names nothing in the queue’s image', async () => {
    const ended = await run(['hostname'], { bsub: inDockerQueue });
    expect(ended.stdout).toMatch(new RegExp(`^${ended.id}-node-0$`, 'm'));
  });

  it('without an image leaves the job on the host', async () => {
    const ended = await run(['hostname'], { bsub: ['-q', 'plain', '-n1', '-m', 'node2'] });
    expect(ended.stdout).toMatch(/^node2$/m);
  });

  it('runs a script from standard input in the image', async () => {
    const script = 'one() { echo "one on $(hostname)"; }\none\necho "a  b"\nexit 3';
    const job = await submitScript(lab, script, { bsub: inDockerQueue });
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'EXIT', exitCode: 3 });
    expect(ended.stdout).toContain(`one on ${job.id}-node-0\na  b\n`);
  });

  it('leaves a script that calls the middleware itself to do so', async () => {
    const script = 'echo "on $(hostname)"\nhpc-submit-dockerjob --image lab/mpi:1 -- hostname';
    const job = await submitScript(lab, script, { bsub: [...inDockerQueue, '-m', 'node3'] });
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'DONE', exitCode: 0 });
    expect(ended.stdout).toContain(`on node3\n${job.id}-node-0`);
  });
});

describe('the esub', () => {
  it('lets bmod pass, and what it changes counts', async () => {
    const { job } = await submitCommand(lab, ['sleep', '30'], { bsub: ['-a', 'docker-cs7', '-H', ...inDockerQueue] });
    const modify = async (...argv: string[]) =>
      await execOnHost(lab, 'node1', { user: 'alice', argv: ['bmod', ...argv] });
    const changed = { exitCode: 0, stdout: `Parameters of job <${job?.id}> are being changed` };
    expect(await modify('-m', 'node2', '-a', 'docker-bad', job?.id ?? '')).toMatchObject(changed);
    await execOnHost(lab, 'node1', { user: 'alice', argv: ['bresume', job?.id ?? ''] });
    await job?.is('RUN');
    expect((await mustRun(lab, 'node1', ['bjobs', '-noheader', '-o', 'exec_host', job?.id ?? ''])).trim()).toBe(
      'node2',
    );
    await execOnHost(lab, 'node1', { user: 'alice', argv: ['bkill', job?.id ?? ''] });
    await job?.end();
  });

  it.each([
    ['a usual', ['env']],
    ['an empty', ['env', '-i']],
  ])('lets lsrun pass in %s environment', async (_, env) => {
    const argv = [...env, `${binaryDir}/lsrun`, '-m', 'node2', '--', 'hostname'];
    expect(await execOnHost(lab, 'node1', { user: 'alice', argv })).toEqual({
      exitCode: 0,
      stdout: 'node2',
      stderr: '',
    });
  });
});
