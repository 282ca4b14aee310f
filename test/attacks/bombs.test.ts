/** The attacker wants the host to die of a job: of its processes, its memory, its files, its output, or of one that stands still. */
import { mustRun } from '../../lab/batch-jobs.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { changeSite } from '../support/e2e-site.ts';
import { cancelJob, findLastingLeftovers, inHostDocker, inMpi, startBatch, tryAs } from '../support/e2e-jobs.ts';
import { e2eLab, runBatch } from '../support/e2e-lab.ts';

let lab: Lab;
beforeAll(async () => (lab = await e2eLab()));
afterAll(async () => expect(await findLastingLeftovers(lab)).toEqual([]));

const onNode1 = ['-N1', '-n1', '--nodelist=node1', '--mem=400M'];

describe('a bomb', () => {
  it('of processes ends at the bound of the site, and the host answers', async () => {
    await using _site = await changeSite(lab, { container: { pidsMax: 150 } }, ['node1']);
    const bomb = `perl -e 'my $n = 0; while ($n < 1000) { my $p = fork; last unless defined $p; if ($p == 0) { sleep 60; exit } $n++ } print "forked $n\\n"; exit 3'`;
    const { stdout, exitCode } = await runBatch(lab, `${inMpi} ${bomb}`, { sbatch: onNode1 });
    const forked = Number(/^forked (\d+)$/m.exec(stdout)?.[1]);
    expect([forked > 50, forked < 150, exitCode]).toEqual([true, true, '3:0']);
    expect(await inHostDocker(lab, 'node1', 'ps', '--quiet')).toBe('');
  });

  it('of memory, in a process or in files, ends the job alone and says so', async () => {
    const fill = {
      process: `perl -e 'my $x = "x" x (800 << 20)'`,
      shm: `sh -c 'head -c 800000000 /dev/zero >/dev/shm/x'`,
      tmp: `sh -c 'head -c 800000000 /dev/zero >/tmp/x'`,
      names: `perl -e 'for (1 .. 400000) { open my $f, ">", "/tmp/" . "n" x 200 . $_ or exit 9 }'`,
    };
    const script = Object.entries(fill)
      .map(
        ([name, command]) =>
          `${inMpi} ${command} 2>${name}.err; echo "${name} $?"; grep -q 'memory\\|No space' ${name}.err && echo "${name} told"`,
      )
      .join('\n');
    const { stdout } = await runBatch(lab, script, { sbatch: onNode1, deadlineMs: 150_000 });
    for (const name of ['process', 'shm', 'tmp']) {
      expect(stdout).toMatch(new RegExp(`^${name} (?:65|137|1)$`, 'm'));
      expect(stdout).toContain(`${name} told`);
    }
    expect(stdout).toMatch(/^names (?:0|9|65|137)$/m);
  });

  it('of output to a reader who stands still holds nothing, and all of it comes when he goes on, long after the command', async () => {
    const script = `${inMpi} sh -c 'head -c 3000000 /dev/zero' | (sleep 24; wc -c); exit \${PIPESTATUS[0]}`;
    const { exitCode, stdout } = await runBatch(lab, script, { sbatch: ['-N2', '-n2'] });
    expect([exitCode, stdout.trim()]).toEqual(['0:0', '3000000']);
  });
});

describe('a job that stands still', () => {
  it('with all in its container stopped, our own agent too, is taken away when it is cancelled', async () => {
    const job = await startBatch(lab, `${inMpi} sh -c 'touch begun; kill -STOP -1; kill -STOP 1; kill -STOP $$'`, {
      sbatch: onNode1,
    });
    const wait = 'for i in $(seq 300); do [ -e "$1/begun" ] && exit; sleep 0.1; done; exit 1';
    await mustRun(lab, 'node1', ['sh', '-c', wait, 'wait', job.directory]);
    const pid = await inHostDocker(lab, 'node1', 'inspect', '--format', '{{.State.Pid}}', `hpcdj-${job.id}-node-0`);
    await mustRun(lab, 'node1', [
      'sh',
      '-c',
      `for i in $(seq 100); do grep -q '^State:.T' /proc/${pid}/task/*/status /proc/$(pgrep -P ${pid} | head -1)/status && exit; sleep 0.1; done; exit 1`,
    ]);
    await cancelJob(lab, job.id);
    await job.end(60_000);
    expect(await inHostDocker(lab, 'node1', 'ps', '--all', '--quiet')).toBe('');
  });
});

describe('the disk of the Docker Engine', () => {
  const openImage = 'lab/open:1';
  const openRecipe = 'FROM lab/mpi:1\nRUN mkdir -p /opt/work && chmod 1777 /opt/work\n';
  const fill =
    'touch begun; until [ -e go ]; do sleep 0.2; done; dd if=/dev/zero of=/opt/work/a bs=1M count=300; sleep 90';
  const atOpt = `hpc-submit-dockerjob --quiet --image ${openImage} -- sh -c '${fill}'`;
  const count = 'pgrep -fc "^dd if=/dev/zero of=/opt/work|^sleep 90$"';

  beforeAll(async () => {
    const build = ['docker', 'build', '--quiet', '--network=none', '--tag', openImage, '-'];
    await mustRun(lab, 'node1', ['env', 'DOCKER_BUILDKIT=0', ...build], openRecipe);
  });

  it('is watched also while run-node is frozen', async () => {
    await using _site = await changeSite(lab, { container: { writableLayer: { bytes: 64 * 1024 ** 2 } } }, ['node1']);
    const script = [
      `( ${atOpt}; echo ended $? ) &`,
      'until [ -e begun ]; do sleep 0.2; done',
      'scancel --signal=STOP $SLURM_JOB_ID.0; touch go',
      `for i in $(seq 30); do sleep 0.5; ${count} >/dev/null || break; done; echo "writers $(${count})"`,
      'scancel --signal=CONT $SLURM_JOB_ID.0; wait',
    ].join('\n');
    const job = await runBatch(lab, script, { sbatch: onNode1, deadlineMs: 90_000 });
    expect(job.stdout.trim().split('\n')).toEqual(['writers 0', 'ended 65']);
    expect(job.stderr).toContain('[DISK_LIMIT]');
    await vi.waitFor(async () => expect(await findWatchers()).toBe(''), { timeout: 15_000, interval: 500 });
  });

  it('takes no more once the job is over, and lets its container go, whoever makes files there on the host', async () => {
    await using _site = await changeSite(lab, { container: { writableLayer: { inodes: 4_000_000 } } }, ['node1']);
    const begin = `hpc-submit-dockerjob --quiet --image ${openImage} -- sh -c 'touch begun; sleep 300'`;
    const job = await startBatch(lab, begin, { sbatch: onNode1 });
    const wait = 'for i in $(seq 300); do [ -e "$1/begun" ] && exit; sleep 0.1; done; exit 1';
    await mustRun(lab, 'node1', ['sh', '-c', wait, 'wait', job.directory]);
    // By the directory alone: no file is open for longer than a moment.
    const racer = [
      'import os, sys, time',
      'directory = os.open("/proc/%s/root/opt/work" % sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)',
      'for _ in range(2): os.fork()',
      'end = time.time() + 90',
      'while time.time() < end:',
      '    try: os.close(os.open("%d.%f" % (os.getpid(), time.time()), os.O_CREAT | os.O_WRONLY, dir_fd=directory))',
      '    except OSError: time.sleep(0.01)',
    ].join('\n');
    const pid = await inHostDocker(lab, 'node1', 'inspect', '--format', '{{.State.Pid}}', `hpcdj-${job.id}-node-0`);
    const race = 'setsid python3 -c "$0" "$1" </dev/null >/dev/null 2>&1 & sleep 5';
    expect(await tryAs(lab, 'node1', 'alice', 'sh', '-c', race, racer, pid)).toMatchObject({ exitCode: 0 });
    await cancelJob(lab, job.id);
    await job.end(60_000);
    const seen = 'docker ps --all --quiet; sinfo --noheader --nodes=node1 --format=%T; ls /run/hpc-dockerjob';
    await vi.waitFor(async () => expect(await mustRun(lab, 'node1', ['sh', '-c', seen])).toBe('idle'), {
      timeout: 30_000,
      interval: 500,
    });
  });

  /** What guards or watches on the host; nothing of it may outlive its container. */
  async function findWatchers(): Promise<string> {
    const look = 'pgrep -af "guard-disk-watc[h]|disk-watch.cj[s]" || :';
    return await mustRun(lab, 'node1', ['sh', '-c', look]);
  }
});
