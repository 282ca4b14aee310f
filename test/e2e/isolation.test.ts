/** Two users' jobs on the same three hosts at once: what a container is, what it can reach, and what its user can do. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun, writeLabFile } from '../../lab/batch-jobs.ts';
import { etcdctl } from '../../lab/find-leftovers.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { e2eLab, jobDirectory } from '../support/e2e-lab.ts';
import { findLastingLeftovers, inHostDocker, inMpi, startBatch, tryAs } from '../support/e2e-jobs.ts';
import type { BatchJob } from '../support/e2e-jobs.ts';
import { productRoot } from '../../lab/layout.ts';

const helper = `${productRoot}/bin/hpc-dockerjob-helper`;

/** Says of each `address:port` whether a connection opens, also when the route is named by force. */
const probe = String.raw`
use Socket;
for my $target (@ARGV) {
  my ($address, $port) = split /:/, $target;
  for my $device ('', 'eth0') {
    my $answer = 'closed';
    socket(my $socket, PF_INET, SOCK_STREAM, 0) or die;
    setsockopt($socket, SOL_SOCKET, 25, "$device\0") or $answer = 'no bind' if $device;
    eval {
      local $SIG{ALRM} = sub { die };
      alarm 1;
      $answer = 'open' if connect($socket, sockaddr_in($port, inet_aton($address)));
      alarm 0;
    };
    alarm 0;
    print "probe $target $device $answer\n";
  }
}
`;

const facts = String.raw`
status() { sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }
fact() { echo "$1=$2"; }
fact id "$(id)"
fact capabilities "$(status CapEff)"
fact bounding "$(status CapBnd)"
fact no-new-privileges "$(status NoNewPrivs)"
fact seccomp "$(status Seccomp)"
fact cores "$(nproc)"
fact shm "$(df --output=size -B1 /dev/shm | tail -1 | tr -d ' ')"
fact hostname "$(hostname)"
fact passwd "$(grep -c . /etc/passwd) $(grep alice /etc/passwd)"
fact group "$(grep -E 'cfd|alice' /etc/group | tr '\n' ' ')"
fact hosts "$(grep node- /etc/hosts | tr '\t\n' '  ')"
fact scheduler "$(env | grep -E '^(SLURM|SBATCH|SRUN|PMI)' | tr '\n' ' ')"
fact nofile "$(ulimit -n)"
fact writable "$(for each in /etc/passwd /.hpcdj/runtime/bin/node /usr/bin/env; do [ -w $each ] && echo $each; done)"
fact setuid "$(su root -c id 2>&1 </dev/null | tail -1)"
touch "$PWD/written" && fact written "$(stat -c '%u:%g' "$PWD/written")"
`;

let lab: Lab;
let alice: BatchJob;
let bob: BatchJob;
let seen: ReadonlyMap<string, string>;

beforeAll(async () => {
  lab = await e2eLab();
  const directory = jobDirectory('alice');
  await mustRun(lab, 'node1', ['install', '-d', '-o', 'alice', '-g', 'alice', directory]);
  await writeLabFile(lab, `${directory}/facts.sh`, facts, 'alice');
  await writeLabFile(lab, `${directory}/probe.pl`, probe, 'alice');
  // The end of each waits for a file, so that both run for as long as the tests look at them.
  const wait =
    'echo facts-told; while [ ! -e targets ]; do sleep 0.2; done; perl probe.pl $(cat targets); echo probed; while [ ! -e over ]; do sleep 0.2; done';
  const hold = 'echo running; while [ ! -e over ]; do sleep 0.2; done';
  [alice, bob] = await Promise.all([
    startBatch(lab, `${inMpi} sh -c '. ./facts.sh; ${wait}'`, { directory, sbatch: ['-N3', '-n3', '--mem=900M'] }),
    startBatch(lab, `${inMpi} sh -c '${hold}'`, { user: 'bob', sbatch: ['-N3', '-n3', '--mem=900M'] }),
  ]);
  await alice.shows('facts-told', 'out');
  await bob.shows('running', 'out');
  seen = readFacts(await alice.stdout());
});

afterAll(async () => {
  await Promise.all([finish(alice), finish(bob)]);
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

async function finish(job: BatchJob | undefined): Promise<void> {
  if (job === undefined) return;
  await mustRun(lab, 'node1', ['touch', `${job.directory}/over`]);
  await job.end(30_000);
}

function readFacts(text: string): ReadonlyMap<string, string> {
  return new Map(text.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

async function addressOf(job: BatchJob, index: number): Promise<string> {
  const key = `/${job.id}/${job.id}_node_${index}/IP`;
  const address = (await mustRun(lab, 'node1', etcdctl(lab, 'get', '--print-value-only', key))).trim();
  expect(address).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
  return address;
}

describe('the inside of a container', () => {
  it('has the user, the groups and nothing of root', () => {
    expect(seen.get('id')).toBe('uid=2001(alice) gid=2001(alice) groups=2001(alice),2100(cfd)');
    expect(seen.get('capabilities')).toBe('0000000000000000');
    expect(seen.get('bounding')).toBe('0000000000000000');
    expect(seen.get('no-new-privileges')).toBe('1');
    expect(seen.get('seccomp')).toBe('2');
    expect(seen.get('writable')).toBe('');
    expect(seen.get('setuid')).not.toContain('uid=0');
  });

  it('has its names, and those of its peers, and no name of another job', () => {
    expect(seen.get('hostname')).toBe(`${alice.id}-node-0`);
    expect(seen.get('passwd')).toBe('3 alice:x:2001:2001:alice:/home/alice:/bin/sh');
    expect(seen.get('group')).toBe('alice:x:2001:alice cfd:x:2100:alice ');
    for (const n of [0, 1, 2]) expect(seen.get('hosts')).toContain(` ${alice.id}-node-${n} node-${n} `);
    expect(seen.get('hosts')).not.toContain(` ${bob.id}-node-`);
  });

  it('has no variable of the scheduler', () => expect(seen.get('scheduler')).toBe(''));

  it('writes files that belong to its user', async () => {
    expect(seen.get('written')).toBe('2001:2001');
    expect((await mustRun(lab, 'node2', ['stat', '-c', '%u:%g', `${alice.directory}/written`])).trim()).toBe(
      '2001:2001',
    );
  });

  it('has the shared memory and the open files of the policy', () => {
    expect(seen.get('shm')).toBe(String(1024 ** 3));
    expect(seen.get('nofile')).toBe('20000');
  });
});

/** What bounds the memory of a container that must be in the job's cgroup, in bytes; on cgroup v2 and v1. */
async function readMemoryLimit(host: string, cgroups: string): Promise<number> {
  const unified = /^0::(\/system\.slice\/\w*slurmstepd\.scope\/job_(\d+))\/[0-9a-f]{64}$/m.exec(cgroups);
  if (unified !== null) {
    expect(unified[2]).toBe(alice.id);
    return Number(await mustRun(lab, host, ['cat', `/sys/fs/cgroup${unified[1]}/memory.max`]));
  }
  for (const controller of ['cpuset', 'memory', 'devices', 'freezer', 'pids'])
    expect(cgroups).toMatch(
      new RegExp(`:[a-z,]*${controller}[a-z,]*:/slurm[^/]*/uid_2001/job_${alice.id}/[0-9a-f]{64}`),
    );
  const path = /:memory:(.*)/.exec(cgroups)?.[1] ?? '';
  const stat = await mustRun(lab, host, ['cat', `/sys/fs/cgroup/memory${path}/memory.stat`]);
  return Number(/^hierarchical_memory_limit (\d+)$/m.exec(stat)?.[1]);
}

describe('the limits of the job', () => {
  it('hold for the container: it is below the job in every controller of the scheduler', async () => {
    expect(seen.get('cores')).toBe('1');
    for (const [index, host] of ['node1', 'node2', 'node3'].entries()) {
      const pid = await inHostDocker(
        lab,
        host,
        'inspect',
        '--format',
        '{{.State.Pid}}',
        `hpcdj-${alice.id}-node-${index}`,
      );
      const cgroups = await mustRun(lab, host, ['cat', `/proc/${pid}/cgroup`]);
      expect(await readMemoryLimit(host, cgroups)).toBe(900 * 1024 ** 2);
    }
  });
});

describe('a container on the network', () => {
  it('reaches its peers, and neither etcd, the hosts nor the containers of another job', async () => {
    const own = await Promise.all([1, 2].map((index) => addressOf(alice, index)));
    const foreign = await Promise.all([0, 1, 2].map((index) => addressOf(bob, index)));
    const gateways = [250, 251, 252, 253, 254].map((last) => (own[0] ?? '').replace(/\d+$/, String(last)));
    const shut = [
      '10.77.0.1:2379',
      ...[1, 11, 12, 13].flatMap((last) => [`10.77.0.${last}:6817`, `10.77.0.${last}:6818`]),
      ...foreign.map((address) => `${address}:2222`),
      ...gateways.map((address) => `${address}:6818`),
    ];
    const open = own.map((address) => `${address}:2222`);
    await writeLabFile(lab, `${alice.directory}/targets`, [...open, ...shut].join('\n'), 'alice');
    await alice.shows('probed', 'out', 90_000);
    const answers = (await alice.stdout()).split('\n').filter((line) => line.startsWith('probe '));
    expect(answers).toHaveLength(2 * (open.length + shut.length));
    expect(answers.filter((line) => line.endsWith(' open')).toSorted()).toEqual(
      open.flatMap((target) => [`probe ${target}  open`, `probe ${target} eth0 open`]).toSorted(),
    );
  });
});

describe('a user on a host of the job', () => {
  it('has no way to the Docker Engine, the runtime files or the helper', async () => {
    for (const argv of [
      ['docker', 'ps'],
      ['ls', '/run/hpc-dockerjob'],
      ['cat', `/run/hpc-dockerjob/${alice.id}/node-0/passwd`],
      ['cat', '/etc/hpc-submit-dockerjob/tls/host-key.pem'],
    ]) {
      const { exitCode, text } = await tryAs(lab, 'node1', 'alice', ...argv);
      expect([argv, exitCode === 0, text]).toEqual([argv, false, expect.stringMatching(/permission denied/i)]);
      // It is there, and only the user's rights are what stands in the way.
      expect([argv, (await tryAs(lab, 'node1', 'root', ...argv)).exitCode]).toEqual([argv, 0]);
    }
    for (const [refusal, ...argv] of [
      [/a password is required/, 'sudo', '-n', helper, 'reap'],
      [/a password is required/, 'sudo', '-n', helper, 'release-job', '--force', alice.id],
      [/a password is required/, 'sudo', '-n', helper, 'run-node', alice.id, alice.id],
      [/not allowed to set the following environment variables: PATH/, 'sudo', '-n', 'PATH=/tmp', helper, 'open-job'],
      [/\[NOT_PERMITTED\]/, helper, 'release-job', alice.id],
    ] as const) {
      const { exitCode, text } = await tryAs(lab, 'node1', 'alice', ...argv);
      expect([argv, exitCode === 0, text]).toEqual([argv, false, expect.stringMatching(refusal)]);
    }
  });

  it('cannot end, stop, run or open the job of another user', async () => {
    for (const [verb, ...rest] of [
      ['release-job'],
      ['release-node'],
      ['control-job', 'stop'],
      ['control-job', 'suspend'],
      ['run-node', '0123456789abcdef'],
    ]) {
      const { exitCode, text } = await tryAs(lab, 'node1', 'alice', 'sudo', '-n', helper, verb ?? '', bob.id, ...rest);
      expect([verb, exitCode, text]).toEqual([verb, 77, expect.stringContaining('[JOB_NOT_YOURS]')]);
    }
    const pid = await inHostDocker(lab, 'node1', 'inspect', '--format', '{{.State.Pid}}', `hpcdj-${bob.id}-node-0`);
    expect((await tryAs(lab, 'node1', 'alice', 'kill', '-KILL', pid)).text).toContain('not permitted');
    expect((await bob.state()).state).toBe('RUNNING');
  });
});
