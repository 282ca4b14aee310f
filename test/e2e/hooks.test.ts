/** doctor and the hooks of LSF, on a cluster of the stand-in. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mustRun, readJob } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import { bringUp } from '../../lab/lab.ts';
import { awaitLsf, writeLsfFile } from '../../lab/lsf/install-lsf.ts';
import { configDir, serverDir } from '../../lab/lsf/lsf-files.ts';
import { hostOf } from '../../lab/running-lab.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { awaitDocker, startMissingServices, stopService } from '../../lab/start-services.ts';
import { takeDown } from '../../lab/take-down.ts';
import { askDoctor, failedChecks, spoilHost } from '../support/doctor.ts';
import { e2eLabs } from '../support/e2e-lab.ts';
import { untilAsked } from '../support/until.ts';
import { changeSite } from '../support/e2e-site.ts';
import type { SiteChange } from '../support/e2e-site.ts';

const name = e2eLabs.hooks;
const host = 'node1';
const program = '/opt/hpc-submit-dockerjob';
const share = `${program}/lib/node_modules/hpc-submit-dockerjob/share/lsf`;

const siteOfLsf: SiteChange = {
  scheduler: {
    kind: 'lsf',
    requireJobCgroup: false,
    commandPath: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
    lsf: { confDirectory: configDir, launcher: 'lsrun' },
  },
  container: { memoryPerSlotBytes: 512 * 1024 ** 2 },
  applications: { 'openfoam:2.3.0': { image: 'lab/tiny:1' } },
  lsf: { aliases: { tiny: { image: 'lab/tiny:1' } } },
};

const goodQueue: Readonly<Record<string, string>> = {
  JOB_CONTROLS: 'SUSPEND[SIGTSTP] RESUME[SIGCONT]',
  PRE_EXEC: `${share}/pre-exec`,
  POST_EXEC: `${share}/post-exec`,
  JOB_STARTER: `${program}/bin/hpc-submit-dockerjob starter`,
  REQUEUE_EXIT_VALUES: '75',
};

/** Two queues: `normal` with every line that docs/lsf.md asks for, `checked` with a pre-exec alone, as another user's or not. */
function queuesText(changes: Readonly<Record<string, string>> = {}, checked: readonly string[] = []): string {
  const section = (title: string, lines: readonly string[]): string =>
    ['Begin Queue', `QUEUE_NAME = ${title}`, ...lines, 'End Queue', ''].join('\n');
  const lines = Object.entries({ ...goodQueue, ...changes })
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${key} = ${value}`);
  return section('normal', lines) + (checked.length === 0 ? '' : section('checked', checked));
}

let lab: Lab;
let site: AsyncDisposable;
beforeAll(async () => {
  lab = await bringUp({
    name,
    hosts: 2,
    lsf: 'plain',
    images: ['tiny'],
    report: (line) => console.error(`lab  ${line}`),
  });
  site = await changeSite(lab, siteOfLsf);
  const conf = await mustRun(lab, host, ['cat', `${configDir}/lsf.conf`]);
  await writeLsfFile(
    lab,
    `${configDir}/lsf.conf`,
    `${conf.replaceAll(/^LSB_ESUB_METHOD.*$/gm, '')}\nLSB_ESUB_METHOD="hpcdocker"\n`,
  );
  for (const { name: node } of lab.nodes)
    for (const esub of ['hpcdocker', 'tiny'])
      await mustRun(lab, node, ['ln', '-sfn', `${share}/esub.hpcdocker`, `${serverDir}/esub.${esub}`]);
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  if (process.env['HPCDJ_KEEP_LAB'] !== '1') await takeDown({ name, purge: 'state' });
});
beforeEach(async () => await writeLsfFile(lab, `${configDir}/lsb.queues`, queuesText()));

describe('doctor on a cluster of LSF', () => {
  it('finds nothing wrong where every line is as documented', async () => {
    const { exitCode, checks } = await askDoctor(lab, host);
    expect(checks.filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
    expect(exitCode).toBe(0);
    expect(checks.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['lsf-hooks', 'lsf-esub', 'lsf-stop-time', 'lsf-hook-user', 'lsf-job-info', 'scheduler']),
    );
  });

  it.each([
    ['no JOB_CONTROLS', { JOB_CONTROLS: '' }, 'lsf-hooks', 69],
    ['no POST_EXEC', { POST_EXEC: '' }, 'lsf-hooks', 69],
    ['no JOB_STARTER', { JOB_STARTER: '' }, 'lsf-hooks', 69],
    ['hooks that run as root', { PRE_POST_EXEC_USER: 'root' }, 'lsf-hook-user', 77],
  ] as const)('finds a queue with %s', async (_, changes, check, status) => {
    await writeLsfFile(lab, `${configDir}/lsb.queues`, queuesText(changes));
    const { exitCode, checks } = await askDoctor(lab, host, 'root', ['--lsf']);
    expect(failedChecks(checks)).toEqual([check]);
    expect(exitCode).toBe(status);
  });

  const params = `${configDir}/lsb.params`;
  it.each([
    [
      'an alias without its esub',
      'lsf-esub',
      69,
      `mv ${serverDir}/esub.tiny /root/esub`,
      `mv /root/esub ${serverDir}/esub.tiny`,
    ],
    [
      'no esub of every submission',
      'lsf-esub',
      69,
      `sed -i s/hpcdocker/site/ ${configDir}/lsf.conf`,
      `sed -i s/=.site/=\\"hpcdocker/ ${configDir}/lsf.conf`,
    ],
    [
      'too short a time to stop',
      'lsf-stop-time',
      78,
      `cp ${params} /root/params; sed -i s/INTERVAL=10/INTERVAL=3/ ${params}`,
      `cat /root/params >${params}`,
    ],
    [
      'root in lsf.sudoers',
      'lsf-hook-user',
      77,
      'echo LSB_PRE_POST_EXEC_USER=root >/etc/lsf.sudoers; chmod 600 /etc/lsf.sudoers',
      'rm /etc/lsf.sudoers',
    ],
    ['no bjobs', 'scheduler', 69, 'mv /usr/local/bin/bjobs /root/bjobs', 'mv /root/bjobs /usr/local/bin/bjobs'],
  ])('finds %s', async (_, check, status, spoil, mend) => {
    await using _spoilt = await spoilHost(lab, host, spoil, mend);
    const { exitCode, checks } = await askDoctor(lab, host);
    expect(failedChecks(checks)).toEqual([check]);
    expect(exitCode).toBe(status);
  });

  it('finds that jobs have no cgroup where the site wants one', async () => {
    await using _site = await changeSite(lab, { scheduler: { requireJobCgroup: true } }, [host]);
    expect(failedChecks((await askDoctor(lab, host)).checks)).toEqual(['lsf-cgroup']);
  });

  it('leaves lsf.sudoers to root', async () => {
    await using _file = await spoilHost(lab, host, 'install -m 600 /dev/null /etc/lsf.sudoers', 'rm /etc/lsf.sudoers');
    const { checks } = await askDoctor(lab, host, 'alice');
    expect(failedChecks(checks)).toEqual([]);
    expect(checks.find(({ check }) => check === 'lsf-hook-user')).toMatchObject({ verdict: 'skip' });
  });
});

const submitTo = async (queue: string, argv: readonly string[], environment: Readonly<Record<string, string>> = {}) => {
  const set = Object.entries(environment).map(([key, value]) => `${key}=${value}`);
  // A path of its own: what is set must not reach env and bsub themselves.
  const { stdout, stderr } = await execOnHost(lab, host, {
    ...{ user: 'alice', argv: ['env', ...set, 'bsub', '-q', queue, '-o', '/dev/null', ...argv], cwd: '/scratch/alice' },
  });
  const id = /<(\d+)>/.exec(stdout)?.[1];
  if (id === undefined) throw new Error(`bsub: ${stderr}`);
  return id;
};

const describeJob = async (id: string): Promise<string> =>
  (await mustRun(lab, host, ['bjobs', '-l', id])).replaceAll(/\n {21}/g, '');

const awaitJob = async (id: string, pattern: RegExp): Promise<void> =>
  await untilAsked(`job ${id} like ${pattern}`, 20_000, async () => {
    const text = await describeJob(id);
    return pattern.test(text) || text;
  });

const isDone = /Status <DONE>/;
const isRefusedForNow = /Status <PEND>[\s\S]*pre-exec command exited with non-zero status/;

describe('pre-exec', () => {
  const queue = [`PRE_EXEC = ${share}/pre-exec`];
  beforeEach(async () => await writeLsfFile(lab, `${configDir}/lsb.queues`, queuesText({}, queue)));

  it('lets a job start on a host that is fit for it, with or without an image', async () => {
    const ids = [
      await submitTo('checked', ['true']),
      await submitTo('checked', ['true'], { HPCDJ_IMAGE: 'lab/tiny:1' }),
      await submitTo('checked', ['-n2', '-R', 'span[ptile=1]', 'true']),
    ];
    for (const id of ids) await awaitJob(id, isDone);
  });

  it('cancels a job whose image is not allowed', async () => {
    const id = await submitTo('checked', ['touch', '/scratch/alice/forbidden'], { HPCDJ_IMAGE: 'evil/app:1' });
    await awaitJob(id, /Exited with exit code 99/);
    expect((await execOnHost(lab, host, { argv: ['test', '-e', '/scratch/alice/forbidden'] })).exitCode).toBe(1);
  });

  it('keeps a job off a host whose Docker Engine is away, until it is back', async () => {
    const node = hostOf(lab, host);
    await stopService(lab.hierarchies, lab.layout, node, 'dockerd');
    let id;
    try {
      id = await submitTo('checked', ['-m', host, 'true']);
      await awaitJob(id, isRefusedForNow);
      // Another host serves meanwhile.
      await awaitJob(await submitTo('checked', ['-m', 'node2', 'true']), isDone);
    } finally {
      await startMissingServices(lab.hierarchies, lab.layout, node);
      await awaitDocker(lab.layout, node);
    }
    await awaitJob(id, isDone);
  });

  it('keeps a job off a host that lacks its image', async () => {
    const id = await submitTo('checked', ['true'], { HPCDJ_IMAGE: 'lab/absent:1' });
    await awaitJob(id, isRefusedForNow);
    await mustRun(lab, host, ['bkill', id]);
  });

  it('asks for etcd only where a job has several hosts', async () => {
    await using _site = await changeSite(lab, { etcd: { endpoints: ['https://head:2390'], callTimeoutMs: 500 } });
    await awaitJob(await submitTo('checked', ['true']), isDone);
    const id = await submitTo('checked', ['-n2', '-R', 'span[ptile=1]', 'true']);
    await awaitJob(id, isRefusedForNow);
    await mustRun(lab, host, ['bkill', id]);
  });

  it('tells why to its error output and by bpost, as the user', async () => {
    const bpost = '#!/bin/sh\n{ id -un; printf "%s\\n" "$@"; } >/scratch/alice/posted\n';
    await using _bpost = await spoilHost(
      lab,
      host,
      `printf %s '${bpost}' >/usr/local/bin/bpost; chmod 755 /usr/local/bin/bpost`,
      'rm /usr/local/bin/bpost',
    );
    const environment = { HPCDJ_IMAGE: 'evil/app:1', LSB_JOBID: '77', LSF_BINDIR: '/usr/local/bin' };
    const set = Object.entries(environment).map(([key, value]) => `${key}=${value}`);
    const { exitCode, stderr } = await execOnHost(lab, host, {
      user: 'alice',
      argv: ['env', ...set, `${share}/pre-exec`],
    });
    expect(exitCode).toBe(99);
    expect(stderr).toContain('[IMAGE_NOT_ALLOWED]');
    const [user, , text, id] = (await mustRun(lab, host, ['cat', '/scratch/alice/posted'])).split('\n');
    expect({ user, id }).toEqual({ user: 'alice', id: '77' });
    expect(text).toContain('IMAGE_NOT_ALLOWED');
  });
});

describe('hooks with the environment of a hostile user', () => {
  const hostile = { LD_PRELOAD: '/scratch/alice/library.so', BASH_ENV: '/scratch/alice/startup.sh' };
  const startup = 'touch /scratch/alice/ran-as-$(id -u)\n';
  beforeEach(async () => {
    await mustRun(lab, host, ['sh', '-c', 'rm -f /scratch/alice/ran-as-*; cat >/scratch/alice/startup.sh'], startup);
  });
  const whoRan = async (): Promise<string> =>
    await mustRun(lab, host, ['sh', '-c', 'ls -d /scratch/alice/ran-as-* 2>/dev/null; :']);

  it('do their work as the user, who is harmed by nobody but himself', async () => {
    await awaitJob(
      await submitTo('normal', ['hpc-submit-dockerjob', '--version'], { BASH_ENV: hostile.BASH_ENV }),
      isDone,
    );
    expect(await whoRan()).not.toContain('ran-as-0');
  });

  it('do nothing as root, where LSF lets them run as root', async () => {
    const asRoot = ['PRE_POST_EXEC_USER = root', `PRE_EXEC = ${share}/pre-exec`];
    await writeLsfFile(lab, `${configDir}/lsb.queues`, queuesText({}, asRoot));
    const refused = await submitTo('checked', ['true'], { LD_LIBRARY_PATH: '/scratch/alice' });
    await awaitJob(refused, isRefusedForNow);
    await mustRun(lab, host, ['bkill', refused]);
    // Without what acts before its first line a hook of root's works, and still runs nothing of the user's.
    await awaitJob(await submitTo('checked', ['true'], { BASH_ENV: hostile.BASH_ENV, ENV: hostile.BASH_ENV }), isDone);
    expect(await whoRan()).not.toContain('ran-as-0');
  });
});

describe('the prolog of Slurm', () => {
  const prolog = share.replace(/lsf$/, 'slurm/prolog');
  const run = async (): Promise<number> => (await execOnHost(lab, host, { argv: [prolog] })).exitCode;
  const withoutEngine = async <T>(action: () => Promise<T>): Promise<T> => {
    const node = hostOf(lab, host);
    await stopService(lab.hierarchies, lab.layout, node, 'dockerd');
    try {
      return await action();
    } finally {
      await startMissingServices(lab.hierarchies, lab.layout, node);
      await awaitDocker(lab.layout, node);
    }
  };

  it('fails for a Docker Engine that is away, and for nothing that an update or a wrong policy brings about', async () => {
    expect(await run()).toBe(0);
    expect(await withoutEngine(run)).toBe(1);
    const runtime = `${share.replace(/share.lsf$/, '')}runtime`;
    await using _runtime = await spoilHost(lab, host, `mv ${runtime} /root/kept`, `mv /root/kept ${runtime}`);
    expect(await run()).toBe(0);
    await using _site = await changeSite(lab, { nonsense: 1 }, [host]);
    expect(await run()).toBe(0);
  });

  it('has Slurm drain the host, and the job runs when it is mended', async () => {
    await using undo = new AsyncDisposableStack();
    const reconfigure = async (): Promise<unknown> => await mustRun(lab, 'head', ['scontrol', 'reconfigure']);
    undo.defer(async () => void (await reconfigure()));
    for (const { name: each } of [lab.head, ...lab.nodes]) {
      const line = `echo Prolog=${prolog} >>/etc/slurm/slurm.conf`;
      undo.use(await spoilHost(lab, each, line, 'sed -i /^Prolog=/d /etc/slurm/slurm.conf'));
    }
    await reconfigure();
    const submit = ['sbatch', '--parsable', '-o', '/dev/null', '-w', host, '--wrap', 'true'];
    const id = await withoutEngine(async () => {
      const { stdout } = await execOnHost(lab, host, { user: 'alice', argv: submit, cwd: '/scratch/alice' });
      await untilAsked(`${host} is drained`, 30_000, async () => {
        const state = (await mustRun(lab, host, ['sinfo', '-h', '-n', host, '-o', '%T'])).trim();
        return state.includes('drain') || state;
      });
      return stdout.trim();
    });
    await mustRun(lab, host, ['scontrol', 'update', `nodename=${host}`, 'state=resume']);
    await untilAsked(`job ${id} is back in the queue`, 30_000, async () => {
      const state = (await mustRun(lab, host, ['squeue', '-h', '-j', id, '-o', '%T %r'])).trim();
      return state === 'PENDING launch failed requeued held' || state;
    });
    await mustRun(lab, host, ['scontrol', 'release', id]);
    // Slurm itself would wait two minutes before the next try.
    await mustRun(lab, host, ['scontrol', 'update', `jobid=${id}`, 'StartTime=now']);
    await untilAsked(`job ${id} runs`, 60_000, async () => {
      const { state } = await readJob(lab, id);
      return state === 'COMPLETED' || state;
    });
  });
});

describe('pre-exec on a cluster that is like IBM’s', () => {
  beforeAll(async () => {
    lab = await bringUp({ name, lsf: 'ibm', install: false });
  });

  it('as HOST_PRE_EXEC looks at every host of a job, and keeps it back for the one that is unfit', async () => {
    const hook = `HOST_PRE_EXEC = hostname >>/scratch/alice/looked; ${share}/pre-exec`;
    await writeLsfFile(lab, `${configDir}/lsb.queues`, queuesText({}, [hook]));
    const node = hostOf(lab, 'node2');
    await stopService(lab.hierarchies, lab.layout, node, 'dockerd');
    let id;
    try {
      // PRE_EXEC would look at the first host alone.
      id = await submitTo('checked', ['-n2', '-R', 'span[ptile=1]', '-m', 'node1 node2', 'true']);
      await awaitJob(id, /Status <PEND>[\s\S]*pre-exec command exited with non-zero status: 1 host/);
      const looked = (await mustRun(lab, host, ['cat', '/scratch/alice/looked'])).trim().split('\n');
      expect(new Set(looked)).toEqual(new Set(['node1', 'node2']));
      await awaitJob(await submitTo('checked', ['-m', 'node1', 'true']), isDone);
    } finally {
      await startMissingServices(lab.hierarchies, lab.layout, node);
      await awaitDocker(lab.layout, node);
    }
    await awaitJob(id, isDone);
  });

  it('as HOST_PRE_EXEC cancels a job whose image is not allowed', async () => {
    await writeLsfFile(lab, `${configDir}/lsb.queues`, queuesText({}, [`HOST_PRE_EXEC = ${share}/pre-exec`]));
    const id = await submitTo('checked', ['-n2', '-R', 'span[ptile=1]', 'true'], { HPCDJ_IMAGE: 'evil/app:1' });
    await awaitJob(id, /Exited with exit code 99/);
  });

  it('has a job put elsewhere, where LSF bars hosts by its status', async () => {
    await writeLsfFile(lab, `${configDir}/lsb.queues`, queuesText({}, [`PRE_EXEC = ${share}/pre-exec`]));
    await mustRun(lab, host, ['rm', '-f', '/scratch/alice/where']);
    const params = await mustRun(lab, host, ['cat', `${configDir}/lsb.params`]);
    await writeLsfFile(lab, `${configDir}/lsb.params`, `${params}\nPREEXEC_EXCLUDE_HOST_EXIT_VALUES=69\n`);
    // The scheduler reads it when it starts.
    await stopService(lab.hierarchies, lab.layout, lab.head, 'lsf-standin');
    await startMissingServices(lab.hierarchies, lab.layout, lab.head);
    await awaitLsf(lab);
    const node = hostOf(lab, host);
    await stopService(lab.hierarchies, lab.layout, node, 'dockerd');
    try {
      // Turn by turn each host is the first that is tried.
      const ids: string[] = [];
      for (let count = 0; count < 4; count++)
        ids.push(await submitTo('checked', ['sh', '-c', 'hostname >>/scratch/alice/where']));
      for (const id of ids) await awaitJob(id, isDone);
    } finally {
      await startMissingServices(lab.hierarchies, lab.layout, node);
      await awaitDocker(lab.layout, node);
    }
    const where = await mustRun(lab, host, ['cat', '/scratch/alice/where']);
    expect(where.trim().split('\n')).toEqual(['node2', 'node2', 'node2', 'node2']);
  });
});
