import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { AgentJob, addressOf } from '../support/agent-nodes.ts';

const shell = (text: string) => ({ kind: 'shell', text }) as const;

describe('a job of agents', () => {
  test('runs the command on the master and reports its output and exit status', async () => {
    await using job = await AgentJob.start(1);
    await job.run({ command: shell('echo "in $PWD"; echo oops >&2; exit 7') });
    expect(await job.master.expect('exited')).toEqual({ type: 'exited', exitStatus: 7 });
    expect(await job.finish()).toEqual([7]);
    expect(job.master.stdout).toBe(`in ${job.workdir}\n`);
    expect(job.master.stderr).toBe('oops\n');
  });

  test('runs a command that comes with the start, with its variables on every node', async () => {
    await using job = await AgentJob.start(2);
    const text =
      'echo "$MINE $HPCDJ_NODE_COUNT"; ssh 772-node-1 "echo \\$MINE \\$HPCDJ_NODE_COUNT"; command -v late-tool';
    const tools = path.join(job.workdir, 'tools');
    await mkdir(tools);
    await writeFile(path.join(tools, 'late-tool'), '#!/bin/sh\n', { mode: 0o755 });
    const environment = { MINE: 'late', HPCDJ_NODE_COUNT: '9', PATH: `${tools}:/usr/bin:/bin` };
    await job.run({ command: { kind: 'later' }, commandDeadlineMs: 5000 }, { command: shell(text), environment });
    expect(await job.master.expect('exited')).toMatchObject({ exitStatus: 0 });
    await job.finish();
    expect(job.master.stdout).toBe(`late 2\nlate 2\n${tools}/late-tool\n`);
    expect(job.master.stderr).toBe('');
  });

  test.for([0o077, 0o007, 0o022, 0o777])('gives the command and what ssh starts the umask %o', async (umask) => {
    await using job = await AgentJob.start(2);
    await job.run({ command: shell('umask; ssh 772-node-1 umask'), umask });
    await job.master.expect('exited');
    await job.finish();
    const shown = `0${umask.toString(8).padStart(3, '0')}`;
    expect({ stdout: job.master.stdout, stderr: job.master.stderr }).toEqual({
      stdout: `${shown}\n${shown}\n`,
      stderr: '',
    });
  });

  test('gives a command that comes with the start its own umask', async () => {
    await using job = await AgentJob.start(2);
    const late = { command: shell('umask; ssh 772-node-1 umask'), environment: {}, umask: 0o027 };
    await job.run({ command: { kind: 'later' }, commandDeadlineMs: 5000 }, late);
    await job.master.expect('exited');
    await job.finish();
    expect(job.master.stdout).toBe('0027\n0027\n');
  });

  test('starts programs on every other node through the ssh of the job', async () => {
    await using job = await AgentJob.start(3);
    await job.run({
      command: shell(
        'for n in 772-node-1 127.9.0.3 localhost; do ssh -x -q -o BatchMode=yes $n echo "\\$HPCDJ_NODE_INDEX" of $HPCDJ_SLOTS; done',
      ),
    });
    await job.master.expect('exited');
    await job.finish();
    expect(job.master.stdout).toBe('1 of 6\n2 of 6\n0 of 6\n');
    expect(job.master.stderr).toBe('');
  });

  test.for([
    ['the exit status', 'ssh 772-node-1 exit 42; echo $?', '42\n', ''],
    ['a signal as 128 + n', "ssh 772-node-1 'kill -9 $$'; echo $?", '137\n', ''],
    ['standard input and its end', 'echo hello | ssh 772-node-1 "cat; echo end"', 'hello\nend\n', ''],
    ['no input with -n', 'echo hello | ssh -n 772-node-1 "cat; echo end"', 'end\n', ''],
    ['standard error apart', 'ssh 772-node-1 "echo out; echo err >&2"', 'out\n', 'err\n'],
    ['a shell without a command', 'echo "echo \\$HPCDJ_NODE_INDEX" | rsh 772-node-1', '1\n', ''],
    ['an emptied environment', '/usr/bin/env -i $(command -v ssh) 772-node-1 echo fine', 'fine\n', ''],
    [
      '255 for an unknown host, and says which there are',
      'ssh elsewhere true; echo $?',
      '255\n',
      'ssh: "elsewhere" is no host of this job: these are 772-node-0 (node-0, c0.cluster), 772-node-1 (node-1, c1.cluster).\n',
    ],
    ["a host's own name", 'ssh c1 "echo \\$HPCDJ_NODE_INDEX"; ssh C0.Cluster "echo \\$HPCDJ_NODE_INDEX"', '1\n0\n', ''],
    [
      'what asks for forwarding that it can do without',
      'ssh -X -A 772-node-1 echo fine',
      'fine\n',
      'ssh: no X11 forwarding inside a job: -X is ignored.\nssh: no agent forwarding inside a job: -A is ignored.\n',
    ],
    [
      'a command into the background',
      'ssh -f 772-node-1 "sleep 1; echo later; touch done"; echo first; while [ ! -e done ]; do sleep 0.1; done; sleep 0.3',
      'first\nlater\n',
      '',
    ],
    [
      '255 for another user',
      'ssh nobody-else@772-node-1 true; echo $?',
      '255\n',
      'ssh: "nobody-else" cannot log in to 772-node-1: the only user inside a job is root.\n',
    ],
    [
      '255 for forwarding',
      'ssh -L 1:2:3 772-node-1 true; echo $?',
      '255\n',
      "ssh: option -L is not offered inside a job: there are no tunnels, and the nodes reach each other's ports directly.\n",
    ],
    ['the job environment', 'ssh 772-node-1 "echo \\$MINE \\$SLURM_JOB_ID"', 'of the user\n', ''],
    ['links from a slave to a third node', 'ssh 772-node-1 ssh 772-node-0 echo back', 'back\n', ''],
  ] as const)('ssh passes %s', async ([, text, stdout, stderr]) => {
    await using job = await AgentJob.start(2, { SLURM_JOB_ID: '5' });
    await job.run({ command: shell(text), environment: { MINE: 'of the user' } });
    await job.master.expect('exited');
    await job.finish();
    expect({ stdout: job.master.stdout, stderr: job.master.stderr }).toEqual({ stdout, stderr });
  });

  test('refuses a command that is too long for the link, and keeps the sessions on it', async () => {
    await using job = await AgentJob.start(2);
    await job.run({
      command: shell(
        '{ until [ -e refused ]; do sleep 0.05; done; echo alive; } | ssh 772-node-1 "touch up; cat" & ' +
          'until [ -e up ]; do sleep 0.05; done; ssh 772-node-1 echo $(printf %036000d 1); echo $?; touch refused; wait',
      ),
    });
    await job.master.expect('exited');
    await job.finish();
    expect({ stdout: job.master.stdout, stderr: job.master.stderr }).toEqual({
      stdout: '255\nalive\n',
      stderr: 'ssh: 772-node-1 (127.9.0.2): the command is too long: it has 36005 bytes, 32768 are possible.\n',
    });
  });

  test('passes megabytes both ways unchanged', async () => {
    await using job = await AgentJob.start(2);
    await job.run({
      command: shell(
        'head -c 30000000 /dev/urandom > data; ssh 772-node-1 "cat; exit 3" < data > back; echo $?; cmp data back && echo same',
      ),
    });
    await job.master.expect('exited');
    await job.finish();
    expect(job.master.stdout).toBe('3\nsame\n');
  });

  test('ends the remote process group when the ssh process is killed', async () => {
    await using job = await AgentJob.start(2);
    await job.run({
      command: shell(
        'ssh 772-node-1 "echo \\$\\$ > pid; sleep 600 & wait" & until [ -s pid ]; do sleep 0.05; done; kill -9 $!; ' +
          'for i in $(seq 60); do kill -0 -$(cat pid) 2>/dev/null || { echo gone; exit; }; sleep 0.05; done',
      ),
    });
    await job.master.expect('exited');
    await job.finish();
    expect(job.master.stdout).toBe('gone\n');
  });

  test.for(['finish', 'lost helper', 'SIGTERM'] as const)('ends command and sessions on %s', async (way) => {
    await using job = await AgentJob.start(2);
    await job.run({
      command: shell('echo $$ > pid0; ssh 772-node-1 "trap \'\' TERM; echo \\$\\$ > pid1; while :; do sleep 1; done"'),
    });
    const pids = await Promise.all(['pid0', 'pid1'].map((name) => waitForText(path.join(job.workdir, name))));
    if (way === 'finish') for (const node of job.nodes) node.send({ type: 'finish' });
    else if (way === 'SIGTERM') for (const node of job.nodes) node.child.kill('SIGTERM');
    else for (const node of job.nodes) node.dropHelper();
    await Promise.all(job.nodes.map((node) => node.exited));
    // The kernel may take a moment to carry a KILL out.
    for (const pid of pids) await expect.poll(async () => await isRunning(pid)).toBe(false);
  });

  test('says that it was told to end when somebody else than the job stops its container, not how the command ended', async () => {
    await using job = await AgentJob.start(1);
    await job.run({ command: shell('echo up > up; exec sleep 600') });
    await waitForText(path.join(job.workdir, 'up'));
    job.master.child.kill('SIGTERM');
    expect(await job.master.expect('failed')).toMatchObject({ code: 'NODE_LOST' });
    await job.master.exited;
  });

  test('passes signals to the process group of the command', async () => {
    await using job = await AgentJob.start(1);
    await job.run({ command: shell("trap 'echo caught; exit 3' USR1; echo up > up; while :; do sleep 0.05; done") });
    await waitForText(path.join(job.workdir, 'up'));
    job.master.send({ type: 'signal', signal: 'SIGUSR1' });
    expect(await job.master.expect('exited')).toEqual({ type: 'exited', exitStatus: 3 });
  });

  test.for([
    ['a missing program', ['no-such-program'], 127, /cannot run "no-such-program": not found/],
    ['a program without the right to run', ['/etc/passwd'], 126, /cannot run "\/etc\/passwd"/],
  ] as const)('gives the shell’s status for %s', async ([, argv, exitStatus, line]) => {
    await using job = await AgentJob.start(1);
    await job.run({ command: { kind: 'argv', argv: [...argv] } });
    expect(await job.master.expect('exited')).toEqual({ type: 'exited', exitStatus });
    await job.finish();
    expect(job.master.stderr).toMatch(line);
    expect(job.master.messages.map(({ type }) => type)).not.toContain('started');
  });

  test.for([
    ['does not exist inside the container', '/no/such/directory'],
    ['is not a directory', '/etc/passwd'],
  ] as const)('fails when the working directory %s', async ([reason, workdir]) => {
    await using job = await AgentJob.start(1);
    job.welcomeAll({ command: shell('true'), workdir });
    const failed = await job.master.expect('failed');
    expect(failed.code).toBe('WORKDIR_UNUSABLE');
    expect(failed.message).toContain(`${workdir} cannot be used: it ${reason}`);
    expect(await job.master.exited).toBe(65);
  });

  test('names the node that cannot be reached', async () => {
    await using job = await AgentJob.start(2);
    const peers = await job.makeRoster();
    job.welcomeAll({ command: shell('true'), discoverDeadlineMs: 1500 });
    // Two nodes that never came up: nobody listens there.
    const absent = { ...peers[1]!, index: 2, hostname: '772-node-2', ip: addressOf(7) };
    for (const node of job.nodes) node.send({ type: 'roster', peers: [...peers, absent] });
    const failed = await job.master.expect('failed');
    expect(failed).toMatchObject({ code: 'NODE_LATE' });
    expect(failed.message).toBe('1 of 2 nodes cannot be reached over SSH: 772-node-2 (127.9.0.8): ECONNREFUSED.');
  });

  test('refuses a node that shows another host key', async () => {
    await using job = await AgentJob.start(2);
    const peers = await job.makeRoster();
    job.welcomeAll({ command: shell('true') });
    const forged = [peers[0]!, { ...peers[1]!, hostPublicKey: peers[0]!.hostPublicKey }];
    for (const node of job.nodes) node.send({ type: 'roster', peers: forged });
    expect((await job.master.expect('failed')).message).toContain('another host key than the one of this job');
  });

  test('of a large job logs in to each other although each knows node 0 alone at first', async () => {
    await using job = await AgentJob.start(3);
    const peers = await job.makeRoster();
    const keysOf = (index: number) => {
      const { sshPublicKey, hostPublicKey } = peers[index]!;
      return { index, sshPublicKey, hostPublicKey };
    };
    const places = peers.map(({ index, hostname, host, ip, slots }) => ({ index, hostname, host: host!, ip, slots }));
    job.welcomeAll({
      command: shell('ssh node-1 ssh node-2 \'ssh node-1 echo "$HPCDJ_NODE_INDEX" $HPCDJ_NODE_INDEX\''),
    });
    for (const [index, node] of job.nodes.entries())
      node.send({ type: 'roster', peers: index === 0 ? peers : [peers[0]!, ...places.slice(1)] });
    await Promise.all(job.nodes.map((node) => node.expect('ready')));
    for (const node of job.nodes) node.send({ type: 'start' });
    for (const [from, asked] of [
      [1, 2],
      [2, 1],
    ] as const) {
      expect(await job.nodes[from]!.expect('ask')).toEqual({ type: 'ask', index: asked });
      job.nodes[from]!.send({ type: 'keys', peers: [keysOf(asked)] });
    }
    expect(await job.master.expect('exited')).toMatchObject({ exitStatus: 0 });
    const known = await readFile(path.join(job.nodes[1]!.privateDirectory, 'ssh/known_hosts'), 'utf8');
    expect(known.split('\n').map((line) => line.split(' ').at(-1))).toEqual([
      ...[keysOf(0), keysOf(2)].map(({ hostPublicKey }) => hostPublicKey.split(' ')[1]),
      '',
    ]);
    await job.finish();
    expect(job.master.stderr).toBe('');
    expect(job.master.stdout).toMatch(/^\d \d\n$/);
  });

  test('lets OpenSSH in with the written configuration, and nobody without the key', async () => {
    await using job = await AgentJob.start(2);
    await job.run({ command: shell('sleep 600') });
    const config = path.join(job.master.privateDirectory, 'ssh/config');
    const options = ['-F', config, addressOf(1)];
    const { stdout } = await execa('/usr/bin/ssh', [...options, 'cat; echo $HPCDJ_NODE_INDEX'], {
      input: 'in\n',
      timeout: 20_000,
    });
    expect(stdout).toBe('in\n1');
    const ownKey = path.join(job.workdir, 'stranger');
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', ownKey]);
    const withoutConfig = [
      '-F',
      '/dev/null',
      '-o',
      'StrictHostKeyChecking=no',
      '-o',
      'UserKnownHostsFile=/dev/null',
      '-o',
      'BatchMode=yes',
    ];
    const refused = await execa(
      '/usr/bin/ssh',
      [...withoutConfig, '-p', String(job.port), '-i', ownKey, addressOf(1), 'true'],
      {
        reject: false,
        timeout: 20_000,
      },
    );
    expect(refused.exitCode).toBe(255);
    expect(refused.stderr).toContain('Permission denied (publickey)');
    const stranger = await execa('/usr/bin/ssh', ['-l', 'stranger', ...options, 'true'], {
      reject: false,
      timeout: 20_000,
    });
    expect(stranger.exitCode).toBe(255);
    const forward = await execa('/usr/bin/ssh', ['-W', '127.0.0.1:1', ...options], { reject: false, timeout: 20_000 });
    expect(forward.exitCode).toBe(255);
  });

  test('puts the application’s host file in place and takes it away again', async () => {
    await using job = await AgentJob.start(2);
    await mkdir(path.join(job.workdir, 'system'));
    await writeFile(path.join(job.workdir, 'system/machines'), 'mine\n');
    await job.run({ command: shell('cat system/machines system/machines.before-772'), hostfile: 'system/machines' });
    await job.master.expect('exited');
    await job.finish();
    expect(job.master.stdout).toBe(
      '# written by hpc-submit-dockerjob for job 772\n772-node-0 slots=2\n772-node-1 slots=2\nmine\n',
    );
    expect(await readFile(path.join(job.workdir, 'system/machines'), 'utf8')).toBe('mine\n');
    expect(await readdir(path.join(job.workdir, 'system'))).toEqual(['machines']);
  });
});

// A zombie is gone: whoever adopted it need not be quick.
async function isRunning(pid: string): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return status !== '' && !/^State:\tZ/m.test(status);
}

async function waitForText(file: string): Promise<string> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline;) {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (text !== '') return text.trim();
    await once(spawn('sleep', ['0.05']), 'exit');
  }
  throw new Error(`${file} did not appear.`);
}
