/** Every way a job can end: within its deadline, with the right status and message, and with nothing left behind. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { etcdctl, findLeftovers } from '../../lab/find-leftovers.ts';
import {
  awaitDocker,
  awaitEtcd,
  awaitSlurm,
  readNodeStates,
  startMissingServices,
  stopService,
} from '../../lab/start-services.ts';
import { productRoot } from '../../lab/layout.ts';
import { hostOf } from '../../lab/running-lab.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { e2eLab } from '../support/e2e-lab.ts';
import {
  cancelJob,
  findLastingLeftovers,
  findProgram,
  inHostDocker,
  inMpi,
  reapOn,
  signalProgram,
  startBatch,
  tryAs,
} from '../support/e2e-jobs.ts';
import { untilAsked } from '../support/until.ts';
import { describeEndings } from '../support/endings-contract.ts';
import { changeSite, quickSite } from '../support/e2e-site.ts';

const helper = `${productRoot}/bin/hpc-dockerjob-helper`;

let lab: Lab;
const undo = new AsyncDisposableStack();
beforeAll(async () => {
  lab = await e2eLab();
  undo.use(
    await changeSite(lab, {
      ...quickSite,
      applications: { short: { image: 'lab/mpi:1', maxRunSeconds: 2 } },
    }),
  );
});
afterAll(async () => await undo.disposeAsync());
afterEach(async () => expect(await findLastingLeftovers(lab)).toEqual([]));

describeEndings('Slurm', () => ({
  lab,
  hosts: lab.nodes.length,
  submit: async (script) => await startBatch(lab, script),
  cancel: async ({ id }) => await cancelJob(lab, id),
  suspend: async ({ id }) => void (await mustRun(lab, 'node1', ['scontrol', 'suspend', id])),
  resume: async ({ id }) => void (await mustRun(lab, 'node1', ['scontrol', 'resume', id])),
  statusOf: ({ state, exitCode }) => (state === 'CANCELLED' ? state : exitCode.replace(/:0$/, '')),
  cancelled: { status: /^CANCELLED$/, code: 'TERMINATED' },
  firstHostOf: () => Promise.resolve('node1'),
  findLeftovers: async (graceMs) => await findLastingLeftovers(lab, graceMs),
}));

const lasting = `${inMpi} sh -c 'echo started; sleep 60'`;

describe('a command', () => {
  it('that fails, is killed, is missing or cannot be executed gives its status to the job', async () => {
    const jobs = [
      await startBatch(lab, `${inMpi} sh -c 'kill -KILL $$'`),
      await startBatch(lab, `${inMpi} /no/such/program`),
      await startBatch(lab, `${inMpi} /etc/passwd`),
      await startBatch(lab, `${inMpi} sh -c 'kill -SEGV $$'`, { sbatch: ['-N1', '-n1'] }),
    ];
    const ended = await Promise.all(jobs.map((job) => job.end()));
    expect(ended.map(({ exitCode }) => exitCode)).toEqual(['137:0', '127:0', '126:0', '139:0']);
    expect(ended[0]?.stderr).toContain('the command ended with status 137');
    expect(ended[1]?.stderr).toContain('cannot run "/no/such/program": not found in the image');
    for (const { stderr } of ended) expect(stderr).toContain('nothing is left behind');
  });

  it('that runs for longer than its application may is ended', async () => {
    const job = await startBatch(lab, "export APPLICATION=short COMMAND='sleep 60'; hpc-submit-dockerjob");
    const ended = await job.end();
    expect(ended).toMatchObject({ state: 'FAILED', exitCode: '77:0' });
    expect(ended.stderr).toContain('The job ran for 2 s, the most that application short may at this site.');
    expect(ended.stderr).toContain('[TIME_LIMIT]');
  });
});

describe('scancel', () => {
  it('with KILL leaves the cleaning to the epilogs', async () => {
    const job = await startBatch(lab, lasting);
    await job.shows('started', 'out');
    await cancelJob(lab, job.id, '--signal=KILL', '--full');
    const ended = await job.end(40_000);
    expect(ended.state).not.toBe('COMPLETED');
  });
});

describe('a killed program of ours', () => {
  it.each([
    ['keeper', 'node1', '75:0', '[HELPER_LOST]'],
    ['launcher', 'node1', '69:0', '[LAUNCHER_FAILED]'],
    ['run-node', 'node1', '75:0', '[NODE_LOST]'],
    ['run-node', 'node3', '75:0', '[NODE_LOST]'],
  ] as const)('(%s on %s) ends the job everywhere', async (program, host, status, words) => {
    const job = await startBatch(lab, `${lasting}; exit $?`);
    await job.shows('started', 'out');
    await signalProgram(lab, host, program, job.id, 'KILL');
    const ended = await job.end(40_000);
    expect([ended.exitCode, ended.stderr]).toEqual([status, expect.stringContaining(words)]);
    expect(await findProgram(lab, host, 'run-node', job.id)).toEqual([]);
  });
});

describe('a container', () => {
  it('that somebody kills ends the job, and the message names its host', async () => {
    const job = await startBatch(lab, lasting);
    await job.shows('started', 'out');
    await inHostDocker(lab, 'node2', 'kill', `hpcdj-${job.id}-node-1`);
    const ended = await job.end(30_000);
    expect(ended.exitCode).toBe('75:0');
    expect(ended.stderr).toContain(`${job.id}-node-1 on host node2: the container ended unexpectedly with status 137.`);
    expect(ended.stderr).toContain('[NODE_LOST]');
  });
});

describe('a host', () => {
  it('that lacks the image, or has another one of that name, is named', async () => {
    await using images = new AsyncDisposableStack();
    for (const host of ['node1', 'node2', 'node3']) {
      images.defer(async () => void (await inHostDocker(lab, host, 'rmi', '--force', 'lab/half:1', 'lab/odd:1')));
    }
    await buildImage('lab/half:1', 'half', 'node1', 'node2');
    await buildImage('lab/odd:1', 'odd', 'node1');
    await buildImage('lab/odd:1', 'other', 'node2');
    const half = await startBatch(lab, 'hpc-submit-dockerjob --image lab/half:1 -- /bin/busybox true');
    const odd = await startBatch(lab, 'hpc-submit-dockerjob --image lab/odd:1 -- /bin/busybox true', {
      sbatch: ['-N2', '-n2', '-w', 'node1,node2'],
    });
    const [missing, another] = await Promise.all([half.end(), odd.end()]);
    expect(missing.exitCode).toBe('65:0');
    expect(missing.stderr).toContain(`${half.id}-node-2 on host node3: image lab/half:1 is not present on host node3.`);
    expect(missing.stderr).toContain('[IMAGE_NOT_PRESENT]');
    expect(another.exitCode).toBe('65:0');
    expect(another.stderr).toContain('image lab/odd:1 on host node2 is another one');
    for (const { stderr } of [missing, another]) expect(stderr).toContain('nothing is left behind');
  });

  it('whose sudo rule is missing is named', async () => {
    const rule = '/etc/sudoers.d/hpc-submit-dockerjob';
    await mustRun(lab, 'node3', ['mv', rule, '/root/rule']);
    try {
      const job = await startBatch(lab, lasting);
      const ended = await job.end(40_000);
      expect(ended.exitCode).toBe('69:0');
      expect(ended.stderr).toMatch(
        /\d+-node-2 on host node3 \(not started\): its helper ended with exit status 1: .*sudo: /,
      );
      expect(ended.stderr).toContain('[LAUNCHER_FAILED]');
      expect(ended.stderr).toContain('nothing is left behind');
    } finally {
      await mustRun(lab, 'node3', ['mv', '/root/rule', rule]);
    }
  });

  it('on which the only node of a job cannot begin is clean all the same', async () => {
    const rule = '/etc/sudoers.d/hpc-submit-dockerjob';
    await mustRun(lab, 'node1', ['cp', '-p', rule, '/root/rule']);
    try {
      await mustRun(lab, 'node1', ['sed', '-i', 's/run-node/run-nothing/', rule]);
      const job = await startBatch(lab, lasting, { sbatch: ['-N1', '-n1', '-w', 'node1'] });
      const ended = await job.end(40_000);
      expect(ended.exitCode).toBe('69:0');
      expect(ended.stderr).toContain('[LAUNCHER_FAILED]');
      expect(ended.stderr).toContain('nothing is left behind');
    } finally {
      await mustRun(lab, 'node1', ['mv', '/root/rule', rule]);
    }
  });

  it('whose Docker Engine hangs is named with its phase; what it has is taken away when the Engine is back', async () => {
    const engine = (await mustRun(lab, 'node3', ['cat', '/run/docker.pid'])).trim();
    await mustRun(lab, 'node3', ['kill', '-STOP', engine]);
    let job;
    try {
      job = await startBatch(lab, lasting);
      await job.shows('[NODE_LATE]', 'err', 40_000);
    } finally {
      await mustRun(lab, 'node3', ['kill', '-CONT', engine]);
    }
    const ended = await job.end(60_000);
    expect(ended.exitCode).toBe('75:0');
    expect(ended.stderr).toMatch(/-node-2 on node3 \(creating\)/);
  });

  it('whose Docker Engine does not run is named', async () => {
    await stopService(lab.hierarchies, lab.layout, hostOf(lab, 'node3'), 'dockerd');
    let job;
    try {
      job = await startBatch(lab, lasting);
      await job.shows('[ENGINE_UNREACHABLE]', 'err', 40_000);
    } finally {
      await startMissingServices(lab.hierarchies, lab.layout, hostOf(lab, 'node3'));
      await awaitDocker(lab.layout, hostOf(lab, 'node3'));
    }
    const ended = await job.end(60_000);
    expect(ended.exitCode).toBe('69:0');
    expect(ended.stderr).toContain('on host node3: ');
    await awaitSlurm(lab.layout, lab.head);
  });
});

describe('etcd', () => {
  it('that is away for a while does not end a running job, and a new one is refused', async () => {
    const job = await startBatch(lab, `${inMpi} sh -c 'echo started; sleep 6; echo whole'`);
    await job.shows('started', 'out');
    let refused;
    await stopService(lab.hierarchies, lab.layout, lab.head, 'etcd1');
    try {
      refused = await startBatch(lab, `${inMpi} true`);
      await refused.shows('[STORE_UNREACHABLE]');
      await job.shows('whole', 'out');
    } finally {
      await startEtcd();
    }
    expect((await refused.end()).exitCode).toBe('69:0');
    const ended = await job.end(30_000);
    expect(ended.exitCode).toBe('0:0');
    expect(ended.stderr).toContain('nothing is left behind');
  });

  it("that stays away does not keep the command's status from the scheduler, nor the hosts from being clean", async () => {
    const job = await startBatch(lab, `${inMpi} sh -c 'echo started; sleep 4; exit 7'`);
    await job.shows('started', 'out');
    await stopService(lab.hierarchies, lab.layout, lab.head, 'etcd1');
    try {
      const ended = await job.end(120_000);
      expect(ended.exitCode).toBe('7:0');
      expect(ended.stderr).toContain('etcd');
      for (const host of ['node1', 'node2', 'node3'])
        expect(await inHostDocker(lab, host, 'ps', '--all', '--quiet')).toBe('');
    } finally {
      await startEtcd();
    }
    await awaitReapers();
  });

  it('that is away while a suspended job goes on gives it its leases when it is back', async () => {
    const job = await startBatch(lab, `${inMpi} sh -c 'echo started; while [ ! -e over ]; do sleep 0.2; done'`);
    await job.shows('started', 'out');
    await mustRun(lab, 'node1', ['scontrol', 'suspend', job.id]);
    await untilAsked('no lease of the job', 10_000, async () => {
      const leased = await readLeased();
      return leased.length === 0 || leased.join(' ');
    });
    await stopService(lab.hierarchies, lab.layout, lab.head, 'etcd1');
    try {
      await mustRun(lab, 'node1', ['scontrol', 'resume', job.id]);
      // Longer than a handful of tries takes.
      await new Promise((resolve) => setTimeout(resolve, 20_000));
    } finally {
      await startEtcd();
    }
    const ofNodes = [0, 1, 2].map((n) => `/${job.id}/${job.id}_node_${n}/PHASE=running`);
    const expected = [...ofNodes, `/${job.id}/FINISH=FALSE`, `/${job.id}/KEEPER=held`];
    await untilAsked('the job and every node under a lease', 30_000, async () => {
      const leased = (await readLeased()).join(' ');
      return leased === expected.join(' ') || leased;
    });
    await mustRun(lab, 'node1', ['touch', `${job.directory}/over`]);
    expect((await job.end(30_000)).exitCode).toBe('0:0');
  });

  it('that stays away does not keep a cancelled job from leaving its hosts clean', async () => {
    const job = await startBatch(lab, lasting);
    await job.shows('started', 'out');
    await stopService(lab.hierarchies, lab.layout, lab.head, 'etcd1');
    try {
      await cancelJob(lab, job.id);
      expect((await job.end(60_000)).state).toBe('CANCELLED');
      for (const host of ['node1', 'node2', 'node3'])
        expect(await inHostDocker(lab, host, 'ps', '--all', '--quiet')).toBe('');
    } finally {
      await startEtcd();
    }
    await awaitReapers();
  });
});

/** Keys that hang on a lease, each as `key=value`. */
async function readLeased(): Promise<readonly string[]> {
  const text = await mustRun(lab, 'node1', etcdctl(lab, 'get', '--prefix', '', '--write-out=json'));
  const { kvs = [] } = JSON.parse(text) as { kvs?: { key: string; value: string; lease?: number }[] };
  const decode = (base64: string): string => Buffer.from(base64, 'base64').toString();
  return kvs.filter(({ lease }) => lease !== undefined).map(({ key, value }) => `${decode(key)}=${decode(value)}`);
}

/** What could not be told to the store is told by the reaper of each host, once the job's lease has run out. */
async function awaitReapers(): Promise<void> {
  await untilAsked('nothing left for the reapers', 30_000, async () => {
    for (const host of ['node3', 'node2', 'node1']) await reapOn(lab, host);
    const left = await findLeftovers(lab);
    return left.length === 0 || left.join('; ');
  });
  expect(await readUnfitNodes()).toEqual([]);
}

async function startEtcd(): Promise<void> {
  await startMissingServices(lab.hierarchies, lab.layout, lab.head);
  await awaitEtcd(lab.layout, lab.head);
}

/** An epilog that fails takes its host out of service. */
async function readUnfitNodes(): Promise<readonly string[]> {
  const states = await readNodeStates(lab.head);
  return [...states].filter(([, state]) => /drain|down/.test(state)).map(([name]) => name);
}

describe('a job', () => {
  it("that reaches Slurm's own time limit is warned as asked for, and ended as cleanly as any other", async () => {
    const command = `trap "echo warned" USR1; echo started; while :; do sleep 0.2; done`;
    // A minute is the shortest limit that a job can ask for; an operator may give it less. Slurm looks every half minute, and
    // must have looked once before the end to warn.
    const job = await startBatch(lab, `exec ${inMpi} sh -c '${command}'`, {
      sbatch: ['-N3', '-n3', '--time=1', '--signal=B:USR1@10'],
    });
    await job.shows('started', 'out');
    await mustRun(lab, 'node1', ['scontrol', 'update', `jobid=${job.id}`, 'EndTime=now+35']);
    const ended = await job.end(150_000);
    expect(ended.state).toBe('TIMEOUT');
    expect(ended.stdout.trim().split('\n')).toEqual(['started', 'warned']);
    expect(ended.stderr).toContain('[TERMINATED]');
  });

  it('whose keeper stands still for longer than its lease is ended by its hosts', async () => {
    const job = await startBatch(lab, lasting);
    await job.shows('started', 'out');
    await signalProgram(lab, 'node1', 'keeper', job.id, 'STOP');
    await untilAsked('the end of the containers', 20_000, async () => {
      const left = await inHostDocker(lab, 'node2', 'ps', '--quiet');
      return left === '' || left;
    });
    await signalProgram(lab, 'node1', 'keeper', job.id, 'CONT');
    const ended = await job.end(30_000);
    expect(ended.exitCode).toBe('75:0');
    expect(ended.stderr).toContain('[LEASE_LOST]');
  });

  it.each(['700M', '300M'])('that needs more memory than %s loses that process, not its host', async (memory) => {
    const job = await startBatch(lab, `${inMpi} sh -c 'tail /dev/zero; echo "status $?"; exit 9'`, {
      sbatch: ['-N1', '-n1', `--mem=${memory}`],
    });
    const ended = await job.end(40_000);
    expect(ended.stdout).toContain('status 137');
    expect(ended.exitCode).toBe('9:0');
  });

  it.each([
    [['control-job'], ['stop'], 'job JOB: has ended on 1 of 1 hosts', 'was ended from outside'],
    [['release-job'], [], 'job JOB: released', 'was released from outside'],
  ])('on one host is ended by %j, which says so as soon as it is', async (verb, rest, says, reason) => {
    const job = await startBatch(lab, lasting, { sbatch: ['-N1', '-n1', '-w', 'node1'] });
    await job.shows('started', 'out');
    const startedAt = performance.now();
    const ended = await tryAs(lab, 'node1', 'alice', 'sudo', '-n', helper, ...verb, job.id, ...rest);
    expect(ended).toEqual({ exitCode: 0, text: says.replace('JOB', job.id) });
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    const { exitCode, stderr } = await job.end(30_000);
    expect([exitCode, stderr]).toEqual(['143:0', expect.stringContaining(reason)]);
  });

  it('is released from outside by its owner or by root, twice, and by nobody else', async () => {
    const job = await startBatch(lab, lasting);
    await job.shows('started', 'out');
    const release = async (user: string, verb: string) =>
      await tryAs(lab, 'node2', user, ...(user === 'root' ? [] : ['sudo', '-n']), helper, verb, job.id);
    expect(await release('bob', 'release-job')).toMatchObject({ exitCode: 77 });
    expect(await release('bob', 'release-node')).toMatchObject({ exitCode: 77 });
    expect(await release('alice', 'release-job')).toEqual({ exitCode: 0, text: `job ${job.id}: released` });
    const ended = await job.end(30_000);
    expect(ended.exitCode).toBe('143:0');
    expect(ended.stderr).toContain('was released from outside');
    for (const verb of ['release-job', 'release-node', 'release-node']) {
      const { exitCode, text } = await release('root', verb);
      expect([exitCode, text]).toEqual([0, expect.stringContaining(`job ${job.id}: nothing of it to release`)]);
    }
    expect(await release('alice', 'release-everything')).toMatchObject({ exitCode: 1 }); // sudo's own word
    expect(await release('root', 'release-everything')).toMatchObject({ exitCode: 64 });
  });
});

/** A new image of that label on the first of the hosts, and the very same on the others. */
async function buildImage(reference: string, label: string, ...hosts: readonly string[]): Promise<void> {
  const [first = '', ...others] = hosts;
  const created = await inHostDocker(lab, first, 'create', '--label', `is=${label}`, 'lab/tiny:1', '/bin/busybox');
  await inHostDocker(lab, first, 'commit', created, reference);
  await inHostDocker(lab, first, 'rm', created);
  const archive = `/scratch/image-${label}.tar`;
  await inHostDocker(lab, first, 'save', '--output', archive, reference);
  for (const host of others) await inHostDocker(lab, host, 'load', '--input', archive);
  await mustRun(lab, first, ['rm', archive]);
}
