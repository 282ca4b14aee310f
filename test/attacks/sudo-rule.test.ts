/**
 * The attacker wants the sudo rule to give more than it says: code run as root through the environment or the search path,
 * another identity or directory by sudo's own options, verbs and words that are not the rule's, a helper that dies or
 * spares its checks by what it inherits. All are tried as alice on a host where bob's job runs; each names that job.
 */
import { writeLabFile, mustRun } from '../../lab/batch-jobs.ts';
import { productRoot } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cancelJob, findLastingLeftovers, findProgram, startBatch, startVictim, tryAs } from '../support/e2e-jobs.ts';
import type { BatchJob } from '../support/e2e-jobs.ts';
import { e2eLab } from '../support/e2e-lab.ts';
import { until } from '../support/until.ts';

const helper = `${productRoot}/bin/hpc-dockerjob-helper`;
const own = '/home/alice/rule';

let lab: Lab;
let bob: BatchJob;

beforeAll(async () => {
  lab = await e2eLab();
  bob = await startVictim(lab, ['node1']);
  const trap = '#!/bin/sh\\necho "$0 as $(/usr/bin/id -u)" >>/home/alice/rule/ran\\n';
  const names = ['squeue', 'scontrol', 'getent', 'nice', 'env', 'node', 'timeout', 'flock', 'uname', 'id', 'docker'];
  const script = `umask 022; mkdir -p ${own}/bin ${own}/copy; : >${own}/ran
    for name in ${names.join(' ')}; do printf '${trap}' >${own}/bin/$name; chmod 755 ${own}/bin/$name; done
    printf 'echo shell as $(/usr/bin/id -u) >>${own}/ran\\n' >${own}/shell.sh
    printf 'require("fs").appendFileSync("${own}/ran", "node as " + process.getuid())\\n' >${own}/node.cjs
    cp ${helper} ${own}/copy/hpc-dockerjob-helper; chmod 755 ${own}/copy/hpc-dockerjob-helper`;
  expect(await tryAs(lab, 'node1', 'alice', 'sh', '-c', script)).toMatchObject({ exitCode: 0 });
});

afterAll(async () => {
  await mustRun(lab, 'node1', ['sh', '-c', `rm -rf ${own}; touch ${bob.directory}/over`]);
  const { exitCode, stdout } = await bob.end();
  expect([exitCode, stdout]).toEqual(['0:0', 'running\nwhole\n']);
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Runs each line of shell as alice, in one go; `$h` is the helper, `$j` bob's job. */
async function tryAll(calls: readonly string[]): Promise<readonly Answer[]> {
  const blocks = calls.map(
    (call) => `( ${call}\n) 2>&1 <&4 | cat >${own}/out; printf '\\036%s\\037' $?; head -c 3000 ${own}/out`,
  );
  const script = `set -o pipefail; h=${helper}; j=${bob.id}; exec 4</dev/null; cd ${own}\n${blocks.join('\n')}`;
  await writeLabFile(lab, `${own}/all.sh`, script, 'alice');
  const { text } = await tryAs(lab, 'node1', 'alice', 'bash', `${own}/all.sh`);
  return text
    .split('\u001e')
    .slice(1)
    .map((each) => {
      const [status = '', said = ''] = each.split('\u001f');
      return { status: Number(status), text: said.trim() };
    });
}

const failed = expect.toSatisfy((status: number) => status > 0) as number;
const notHers = { status: 77, text: expect.stringContaining('[JOB_NOT_YOURS]') as string };

/** Every call with what it must come to. */
async function expectAll(calls: readonly string[], wanted: object): Promise<void> {
  const answers = await tryAll(calls);
  expect(answers.length).toBe(calls.length);
  for (const [index, call] of calls.entries()) {
    expect({ call, ...answers[index] }).toMatchObject({ call, ...wanted });
  }
}

const whatRan = async (): Promise<string> => (await mustRun(lab, 'node1', ['cat', `${own}/ran`])).trim();

describe('running code as root', () => {
  const variables = [
    ...['LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_AUDIT'].map((name) => `${name}=${own}/node.cjs`),
    ...[`NODE_OPTIONS='--require ${own}/node.cjs'`, `NODE_V8_COVERAGE=${own}/coverage`, `NODE_PATH=${own}`],
    ...['BASH_ENV', 'ENV'].map((name) => `${name}=${own}/shell.sh`),
    ...[`PS4='$(sh ${own}/shell.sh)'`, 'SHELLOPTS=xtrace', 'BASHOPTS=extglob', 'IFS=/', `HOME=${own}`],
    ...[`TMPDIR=${own}`, 'LC_ALL=xx', `LOCPATH=${own}`, `SSL_CERT_FILE=${own}/x`, `OPENSSL_CONF=${own}/node.cjs`],
    ...[`DOCKER_HOST=unix://${own}/x`, `SLURM_CONF=${own}/x`, 'HPCDJ_REHEARSAL=1', 'SUDO_UID=0', 'SUDO_USER=root'],
    ...[`HPCDJ_HELPER=${own}/node.cjs`, 'HPCDJ_VERSION=x', `PERL5OPT=-M${own}/x`, `PYTHONSTARTUP=${own}/node.cjs`],
  ];

  it('through the environment comes to nothing', async () => {
    // The traps are good ones: without sudo they work.
    await tryAll([`env -u SHELLOPTS BASH_ENV=${own}/shell.sh bash -c :`]);
    expect(await whatRan()).toMatch(/^shell as 2001$/);
    await mustRun(lab, 'node1', ['sh', '-c', `: >${own}/ran`]);
    await expectAll(
      [
        `env ${variables.join(' ')} sudo -n $h control-job $j suspend`,
        ...variables.map((each) => `env ${each} sudo -n $h control-job $j stop`),
      ],
      notHers,
    );
    expect(await whatRan()).not.toMatch(/as 0/);
    expect((await tryAs(lab, 'node1', 'alice', 'ls', `${own}/coverage`)).exitCode).not.toBe(0);
  });

  it('by programs that stand first in the search path comes to nothing', async () => {
    await mustRun(lab, 'node1', ['sh', '-c', `: >${own}/ran`]);
    await tryAll([`PATH=${own}/bin:$PATH squeue`]);
    expect(await whatRan()).toContain('squeue as 2001');
    const verbs = ['release-job $j', 'release-node $j', 'control-job $j stop', 'run-node $j 0123456789abcdef'];
    await expectAll(
      verbs.map((verb) => `PATH=${own}/bin:$PATH; export PATH; /usr/bin/sudo -n $h ${verb}`),
      notHers,
    );
    await expectAll([`PATH=${own}/bin; export PATH; /usr/bin/sudo -n $h check-host`], {
      status: expect.any(Number) as number,
    });
    expect(await whatRan()).not.toMatch(/as 0/);
  });

  it('by a copy of the helper, without sudo or by hand comes to nothing', async () => {
    await expectAll([`sudo -n ${own}/copy/hpc-dockerjob-helper release-job $j`], {
      ...{ status: 1, text: expect.stringMatching(/password is required|not allowed/) as string },
    });
    await expectAll(['$h release-job $j', 'SUDO_UID=0 $h release-job $j', 'SUDO_UID=2002 $h control-job $j stop'], {
      status: failed,
      text: expect.stringMatching(/\[NOT_PERMITTED\]|Permission denied/) as string,
    });
  });
});

describe('more than the rule says', () => {
  const options = [
    ...[
      '-E',
      '--preserve-env',
      '--preserve-env=LD_PRELOAD',
      '-P',
      '-T 1',
      '-C 20',
      '-D /root',
      '-R /tmp',
      '-g root',
      '-g shadow',
    ],
    ...['-u bob', '-u#0', '-u#-1', '-u#4294967295', '-i', '-s', '-A', '-H', '-v', '-K', '-U bob', '-r x', '-t x'],
    ...['LD_PRELOAD=/x', 'PATH=/tmp', 'SUDO_UID=0'],
  ];

  it('by an option of sudo is refused, or the caller is still alice', async () => {
    await expectAll(
      options.map((option) => `sudo -n ${option} $h release-job $j`),
      { status: expect.toSatisfy((status: number) => status === 1 || status === 77) as number },
    );
    await expectAll(['sudo -n -e /etc/hpc-submit-dockerjob/site.yaml', 'sudoedit -n $h'], { status: 1 });
  });

  it('by words that are not the rule’s is refused by sudo', async () => {
    const words = [
      ...[
        '',
        '--help',
        '--version',
        'reap',
        'audit verify',
        'release-job',
        'release-job --force $j',
        'release-job $j --force',
      ],
      ...['release-job $j $j', 'release-node $j --scheduler-job 1', 'release-node --scheduler-job=1 $j', 'run-node $j'],
      ...[
        'run-node $j ../../../../x',
        'run-node $j 0123456789abcdef x',
        'control-job $j kill',
        'control-job $j',
        'open-job x',
      ],
      ...['check-host full', "'release-job $j'", '"release-job" "$j "', '"release-job" " $j"', "'release-job' '1\n2'"],
      ...[
        'release-job 0',
        'release-job 01',
        'release-job -- 1',
        'release-job 1_2_3',
        'release-job ٣',
        'Release-job $j',
      ],
    ];
    await expectAll(
      words.map((each) => `sudo -n $h ${each}`),
      { status: 1, text: expect.stringContaining('a password is required') as string },
    );
  });

  it('where sudo knows no patterns the helper itself refuses what is root’s', async () => {
    const words = [
      'release-job 99 --force',
      'release-node 99 --scheduler-job 10',
      'run-node 99 ../../x',
      'reap',
      'audit verify',
    ];
    for (const each of words) {
      // As the older rule would start it: root, and sudo's word for who calls.
      const argv = ['env', 'SUDO_UID=2001', helper, ...each.split(' ')];
      const { exitCode, text } = await tryAs(lab, 'node1', 'root', ...argv);
      expect([each, exitCode, text]).toEqual([
        each,
        expect.toSatisfy((status: number) => [64, 65, 77].includes(status)),
        expect.stringMatching(/\[(?:NOT_PERMITTED|JOB_NOT_YOURS|USAGE)\]/),
      ]);
    }
  });
});

describe('a helper that dies half-way or spares its checks', () => {
  const signals = 'HUP INT TERM CHLD ALRM VTALRM PROF USR1 USR2 PIPE IO XCPU XFSZ QUIT';
  const perl = (code: string): string => `perl -e '${code}; exec @ARGV or die' `;
  const before = [
    ...['--nofile=10:10', '--stack=65536:65536', '--nproc=1:1', '--cpu=1:1', '--memlock=0:0', '--sigpending=0:0'].map(
      (limit) => `prlimit ${limit} -- `,
    ),
    ...['--msgqueue=0:0', '--fsize=0:', '--as=400000000:', '--data=1000000:', '--rss=1000:', '--core=0:0'].map(
      (limit) => `prlimit ${limit} -- `,
    ),
    perl('use POSIX; sigprocmask(SIG_BLOCK, POSIX::SigSet->new(1..31))'),
    ...['TERM', 'HUP', 'INT', 'CHLD', 'ALRM'].map((name) => perl(`$SIG{${name}} = "IGNORE"`)),
    perl('require "sys/syscall.ph" if 0; use Time::HiRes "setitimer"; setitimer(2, 0.05, 0.05)'),
    ...[
      'nice -n 19 chrt --idle 0 ',
      'choom -n 1000 -- ',
      'ionice -c 3 ',
      'setarch --addr-no-randomize ',
      'setsid --wait ',
    ],
    `trap '' ${signals}; `,
    ...['umask 777; ', 'd=$(mktemp -d); cd $d; rmdir $d; ', 'exec 2>&-; ', 'exec 5</etc/passwd 9</etc/hosts; '],
  ];

  it('by what it inherits does all of its work, or its caller alone fails', async () => {
    await expectAll(
      before.map((each) => `${each}sudo -n $h control-job $j stop`),
      { status: failed },
    );
    expect((await bob.state()).state).toBe('RUNNING');
  });

  it('by its standard streams refuses, or works', async () => {
    const streams = ['<&-', '<.', '</etc/passwd', '</dev/zero', '>/dev/full', '>&-', '2>&-', '<&- >&- 2>&-', '| :'];
    await expectAll(
      [...streams, '</dev/null | head -c 0'].map((each) => `sudo -n $h check-host ${each}; :`),
      { status: 0 },
    );
    await expectAll(['sudo -n $h check-host </etc/passwd', 'sudo -n $h check-host <.'], { status: 64 });
  });

  it('by streams that are orders to the kernel, which would ask for root’s rights, is refused', async () => {
    const orders = ['autogroup', 'oom_score_adj', 'comm'].map((name) => `/proc/$$/${name}`);
    await expectAll(
      [...orders.map((file) => `>${file}`), '2>/proc/$$/autogroup'].map(
        (stream) => `sudo -n $h check-host </dev/null ${stream}`,
      ),
      { status: 64 },
    );
  });

  it('by questions that are none answers 64, and says nothing of what is not for all', async () => {
    const questions = [
      'head -c 200000 /dev/urandom',
      "printf '[%.0s' $(seq 16000)",
      "printf 'null'",
      'printf \'{"scope":"all"}\'',
    ];
    await expectAll(
      questions.map((each) => `${each} | sudo -n $h check-host`),
      { status: 64, text: expect.stringContaining('[USAGE]') as string },
    );
    const [hidden, there, missing] = await tryAll([
      'printf \'{"scope":"full"}\' | sudo -n $h check-host',
      'printf \'{"scope":"quick","image":"secret/x:1"}\' | sudo -n $h check-host',
      'printf \'{"scope":"quick","image":"secret/none:1"}\' | sudo -n $h check-host',
    ]);
    expect(hidden?.text).toContain('run doctor as root to see');
    expect(there?.status).toBe(77);
    expect(there?.text).toContain('secret/x:1');
    expect(missing).toEqual({ status: 77, text: there?.text.replaceAll('secret/x:1', 'secret/none:1') });
  });

  it('by a directory or limits of its own inside a job has neither', async () => {
    const call =
      'mkdir -p /tmp/gone && cd /tmp/gone && rmdir /tmp/gone && ulimit -S -f 0 && ulimit -S -n 64 && ulimit -S -t 5';
    const job = await startBatch(lab, `${call}; sleep 20 | sudo -n ${helper} open-job &>/dev/null`, {
      sbatch: ['-N1', '-n1', '--nodelist=node2'],
    });
    let pid: string | undefined;
    await until('the helper', 15_000, async () => {
      [pid] = await findProgram(lab, 'node2', 'keeper', job.id);
      return pid !== undefined || 'no open-job runs';
    });
    const seen = await mustRun(lab, 'node2', ['sh', '-c', `readlink /proc/${pid}/cwd; cat /proc/${pid}/limits`]);
    await cancelJob(lab, job.id);
    await job.end();
    expect(seen.split('\n')[0]).toBe('/');
    expect(seen).toMatch(/^Max file size +unlimited/m);
    expect(seen).toMatch(/^Max cpu time +unlimited/m);
    expect(Number(/^Max open files +(\d+)/m.exec(seen)?.[1])).toBeGreaterThan(1000);
    expect(seen).toMatch(/^Max core file size +0 /m);
  });

  // Root would write into it past the quota, the limits, and what a file system keeps for root.
  it.each(['run-node $j 0123456789abcdef', 'open-job', 'enter-job $j 0'])(
    'has root write into no file, whoever opened it: %s',
    async (verb) => {
      const answers = await tryAll([
        `sudo -n $h ${verb} >big; status=$?; cat big; exit $status`,
        `sudo -n $h ${verb} 2>big`,
      ]);
      expect(answers.map(({ status }) => status)).toEqual([64, 64]);
      expect(answers[0]?.text).toContain('output of jobs into none');
    },
  );

  it.each(['run-node 99999999 0123456789abcdef', 'open-job'])(
    'outside of a job is refused at once, and makes no process of root wait: %s',
    async (verb) => {
      const startedAt = performance.now();
      // Its input stays open for much longer than the call may take.
      const script = `exec 3< <(exec sleep 15); sudo -n ${helper} ${verb} <&3; status=$?; kill $!; exit $status`;
      const { exitCode, text } = await tryAs(lab, 'node1', 'alice', 'bash', '-c', script);
      expect(exitCode).toBe(77);
      expect(text).toContain('JOB_NOT_YOURS');
      expect(performance.now() - startedAt).toBeLessThan(8000);
    },
  );
});
