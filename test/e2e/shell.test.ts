/** `shell`: a terminal, or a command, in the container of a job that runs. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { productRoot } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import type { BatchJob } from '../support/e2e-jobs.ts';
import { cancelJob, findLastingLeftovers, inMpi, startBatch, tryAs } from '../support/e2e-jobs.ts';
import { e2eLab } from '../support/e2e-lab.ts';
import { untilAsked } from '../support/until.ts';

const helper = `${productRoot}/bin/hpc-dockerjob-helper`;
const facts = 'grep -E "^(Uid|Gid|Groups|Cap|NoNew|Seccomp:)" /proc/self/status; ulimit -a; ulimit -aH; umask; pwd';
const rest = 'cat /proc/self/oom_score_adj /proc/self/cgroup; echo "$FOO $TZ $PATH $HPCDJ_NODE_INDEX $HOME $USER"';

let lab: Lab;
let job: BatchJob;

beforeAll(async () => {
  lab = await e2eLab();
  const waiting = `sh -c '${facts}; ${rest}; echo up; while [ ! -e over ]; do sleep 0.3; done'`;
  const run = inMpi.replace('--image', '--quiet --env FOO=bar --image');
  const script = `umask 0027; export TZ=Europe/Berlin; ${run} ${waiting}`;
  job = await startBatch(lab, script, { sbatch: ['-N2', '-n2', '--nodelist=node1,node2', '--mem=600M'] });
  await job.shows('up', 'out');
});

afterAll(async () => {
  await cancelJob(lab, job.id).catch(() => undefined);
  await job.end();
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

async function on(host: string, script: string, user = 'alice'): ReturnType<typeof tryAs> {
  return await tryAs(lab, host, user, 'timeout', '90', 'bash', '-c', script.replaceAll('JOB', job.id));
}

/** What is typed comes after the prompt, or seconds, that stand before it: `[[text, keys]]`. */
function typed(call: string, keys: string): string {
  return `(${keys}) | script -qec "stty rows 30 cols 100; ${call}" /dev/null`;
}

async function countOf(host: string, pattern: string): Promise<number> {
  return Number((await tryAs(lab, host, 'root', 'sh', '-c', `pgrep -fc '^${pattern}'; :`)).text);
}

async function isGone(host: string, pattern: string): Promise<void> {
  await untilAsked(`the end of ${pattern}`, 15_000, async () => {
    const count = await countOf(host, pattern);
    return count === 0 || `${count} are there`;
  });
}

describe('a command', () => {
  it('runs as the job’s own command does: rights, groups, limits, umask, directory, cgroup, variables', async () => {
    const { exitCode, text } = await on(
      'node1',
      `hpc-submit-dockerjob shell JOB -- sh -c '${facts}; ${rest}; echo up'`,
    );
    expect([exitCode, text]).toEqual([0, (await job.stdout()).trimEnd()]);
    expect(text).toMatch(/^Groups:\t2001 2100 $/m);
    expect(text).toMatch(/^NoNewPrivs:\t1$/m);
    expect(text).toMatch(/^CapBnd:\t0+$/m);
    expect(text).toContain('bar Europe/Berlin');
  });

  it('has its streams apart, its end of input and its exit status, on its own host and from another one', async () => {
    for (const host of ['node1', 'node3']) {
      const call = "echo in | hpc-submit-dockerjob shell JOB node1 -- sh -c 'cat; echo er >&2; exit 3' 2>e";
      const { text } = await on(host, `cd "$(mktemp -d)"; ${call}; echo "status $?"; grep -v ^srun e`);
      expect([host, text]).toEqual([host, 'in\nstatus 3\ner']);
    }
  });

  it('passes bytes unchanged, and ends when nobody reads any more', async () => {
    const same = 'head -c 3000000 /dev/urandom >a; hpc-submit-dockerjob shell JOB 0 -- cat <a | cmp - a && echo same';
    const read = 'hpc-submit-dockerjob shell JOB 1 -- yes | head -1; echo ${PIPESTATUS[0]}';
    const { text } = await on('node1', `cd "$(mktemp -d)"; ${same}; ${read}`);
    expect(text.replace(/srun: .*/, '').trim()).toBe('same\ny\n141');
    await isGone('node2', 'yes');
  });

  it.each([
    ['-- nope', 127, 'cannot run "nope": not found in the image'],
    ['-- /etc/passwd', 126, 'it is not executable'],
    ['7', 64, '"7" is no node of job'],
    ["'-1'", 64, 'is no node of job'],
    ["'node1,node2'", 64, 'is no node of job'],
  ])('is told when it cannot run: %s', async (words, status, message) => {
    const { exitCode, text } = await on('node1', `hpc-submit-dockerjob shell JOB ${words}`);
    expect([exitCode, text]).toEqual([status, expect.stringContaining(message)]);
  });
});

describe('a terminal', () => {
  it('has size, keys and exit status, and follows the size of ours', async () => {
    const keys = [
      'sleep 4; echo "stty size; hostname"',
      'sleep 1; echo "sleep 300"; sleep 1; printf "\\003"; sleep 1; echo "echo ended \\$?"',
      'sleep 1; tty=$(cat tty); stty -F "$tty" rows 41 cols 121; sleep 1; echo "stty size"',
      'sleep 1; printf "\\020\\021"; echo "echo kept"; sleep 1; echo "exit 5"; sleep 2',
    ].join('; ');
    const { exitCode, text } = await on(
      'node3',
      `cd "$(mktemp -d)"; ${typed('tty >tty; hpc-submit-dockerjob shell JOB 1', keys)}`,
    );
    expect(text).toContain('30 100');
    expect(text).toContain(`${job.id}-node-1`);
    expect(text).toContain('ended 130');
    expect(text).toContain('41 121');
    expect(text).toContain('kept');
    expect(exitCode).toBe(5);
  });
});

describe('whose client is killed', () => {
  it.each([
    [
      'in a terminal',
      typed('hpc-submit-dockerjob shell JOB', 'sleep 4; echo "sleep 7101 & sleep 7101"; sleep 12'),
      'node1',
    ],
    ['with pipes', "hpc-submit-dockerjob shell JOB -- sh -c 'sleep 7102 & sleep 7102'", 'node1'],
    ['on another host', "hpc-submit-dockerjob shell JOB 0 -- sh -c 'sleep 7103 & sleep 7103'", 'node3'],
  ])('a shell %s ends with all that it has started', async (_, call, host) => {
    const name = /sleep 71\d\d/.exec(call)?.[0] ?? '';
    const over = on(host, call);
    await untilAsked(name, 30_000, async () => (await countOf('node1', name)) === 2 || 'not yet');
    const kill = `kill -9 $(pgrep -u alice -f 'middleware.cjs shell ${job.id}')`;
    await mustRun(lab, host, ['sh', '-c', kill]);
    await isGone('node1', name);
    await over;
  });

  it('and so it does when the helper is killed', async () => {
    const over = on('node1', "hpc-submit-dockerjob shell JOB -- sh -c 'sleep 7104 & sleep 7104'");
    await untilAsked('sleep', 30_000, async () => (await countOf('node1', 'sleep 7104')) === 2 || 'not yet');
    await mustRun(lab, 'node1', ['sh', '-c', `kill -9 $(pgrep -f '[h]elper.cjs enter-job ${job.id} ')`]);
    await isGone('node1', 'sleep 7104');
    expect((await over).exitCode).not.toBe(0);
    await isGone('node1', '/bin/bash .*guard-session');
  });
});

describe('another user', () => {
  it.each([
    ['node1', 'hpc-submit-dockerjob shell JOB'],
    ['node3', 'hpc-submit-dockerjob shell JOB -- id'],
    ['node1', `printf '\\001\\0\\0\\0\\016{"command":[]}' | sudo -n ${helper} enter-job JOB 0`],
  ])('is kept out on %s: %s', async (host, call) => {
    const { exitCode, text } = await on(host, call, 'bob');
    expect([exitCode, text]).toEqual([77, expect.stringContaining('[JOB_NOT_YOURS]')]);
  });
});

describe('a job that is suspended, or ends', () => {
  it('lets nobody in while it is suspended', async () => {
    await mustRun(lab, 'node1', ['scontrol', 'suspend', job.id]);
    try {
      const said: Awaited<ReturnType<typeof on>>[] = [];
      await untilAsked('the suspension', 20_000, async () => {
        said.push(await on('node1', 'hpc-submit-dockerjob shell JOB -- true'));
        return said.at(-1)?.exitCode === 75 || 'not yet';
      });
      expect(said.at(-1)?.text).toContain('is suspended: nothing can run in its containers');
    } finally {
      await mustRun(lab, 'node1', ['scontrol', 'resume', job.id]);
    }
    await untilAsked('the resumption', 20_000, async () => {
      const { exitCode, text } = await on('node1', 'hpc-submit-dockerjob shell JOB -- true');
      return exitCode === 0 || text;
    });
  });

  it('ends its shells, each with one line, and waits for no client that is frozen', async () => {
    const shells = [
      on('node1', "hpc-submit-dockerjob shell JOB -- sh -c 'sleep 7105'"),
      on('node3', "hpc-submit-dockerjob shell JOB 0 -- sh -c 'sleep 7105'"),
    ];
    const frozen = on('node1', 'hpc-submit-dockerjob shell JOB -- yes 7106 >/dev/null');
    await untilAsked('shells', 40_000, async () => {
      const counts = [await countOf('node1', 'sleep 7105'), await countOf('node1', 'yes 7106')];
      return counts.join() === '2,1' || counts.join();
    });
    const find = `pgrep -u alice -f 'middleware.cjs shell ${job.id} -- yes'`;
    await mustRun(lab, 'node1', ['sh', '-c', `kill -STOP $(${find})`]);
    await mustRun(lab, 'node1', ['touch', `${job.directory}/over`]);
    expect(await job.end()).toMatchObject({ state: 'COMPLETED' });
    for (const { exitCode, text } of await Promise.all(shells)) {
      expect(text).toContain(`Job ${job.id} has ended, and with it what ran in its container. [TERMINATED]`);
      expect(exitCode).toBe(143);
    }
    await mustRun(lab, 'node1', ['sh', '-c', `kill -CONT $(${find})`]);
    await frozen;
  });
});
