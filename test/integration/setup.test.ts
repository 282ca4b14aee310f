import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allowedCalls, forbiddenCalls } from '../../src/middleware/doctor/check-sudo-rule.ts';
import type { HeldInstallation } from '../support/held-installation.ts';
import { holdInstallation } from '../support/held-installation.ts';

// Real sudo, visudo and files in a mount namespace of the test's own.
const root = path.join(import.meta.dirname, '../..');
const prefix = '/opt/hpc-submit-dockerjob';
const packageDirectory = `${prefix}/lib/node_modules/hpc-submit-dockerjob`;
const setup = `${prefix}/bin/hpc-dockerjob-setup`;
const helper = `${prefix}/bin/hpc-dockerjob-helper`;
const manualPages = ['man1/hpc-submit-dockerjob.1', 'man8/hpc-dockerjob-helper.8', 'man5/hpc-dockerjob-site.yaml.5'];
let holder: HeldInstallation | undefined;

beforeAll(async () => {
  holder = await holdInstallation();
});

afterAll(() => holder?.end());

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | undefined;
}

async function run(...argv: readonly [string, ...string[]]): Promise<Ended> {
  const entered = ['--target', String(holder?.pid), '--mount', '--', ...argv];
  const { stdout, stderr, exitCode } = await execa('nsenter', entered, { reject: false, timeout: 60_000 });
  return { stdout, stderr, exitCode };
}

async function install(): Promise<void> {
  const { exitCode, stderr } = await run(setup, '--unattended');
  if (exitCode !== 0) throw new Error(stderr);
}

const runtimes = `${prefix}/lib/hpc-submit-dockerjob`;

/** The directory that containers get now. */
async function readRuntime(): Promise<string> {
  return (await run('readlink', '-f', `${packageDirectory}/runtime`)).stdout;
}

/** Stands for a Docker Engine with one container that has this runtime mounted. */
async function answerAsDocker(mounted: string): Promise<void> {
  const script = `#!/bin/sh\n[ "$1" = ps ] && echo c1 || echo ${mounted}\n`;
  await run('sh', '-c', 'printf %s "$1" >/usr/local/bin/docker && chmod 755 /usr/local/bin/docker', 'write', script);
}

const anyUser = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] as const;
const asUser = [...anyUser, 'sudo', '-n', '--'] as const;

describe('hpc-dockerjob-setup', () => {
  test('installs runtime, policy, sudo rule and commands, and does so again without a change', async () => {
    const first = await run(setup, '--unattended');
    expect(first.stderr).toBe('');
    expect(first.exitCode).toBe(0);
    expect(first.stdout).toContain('/etc/hpc-submit-dockerjob/site.yaml (new)');
    for (const hook of ['hpc-dockerjob-setup slurm', 'docs/slurm.md', 'share/lsf/post-exec'])
      expect(first.stdout).toContain(hook);
    const loader = `${packageDirectory}/runtime/lib/ld-linux-x86-64.so.2`;
    const agent = await run(
      loader,
      '--library-path',
      `${packageDirectory}/runtime/lib`,
      `${packageDirectory}/runtime/bin/node`,
      `${packageDirectory}/runtime/agent.cjs`,
    );
    expect(agent.stdout).toBe('test');
    expect((await run('readlink', '-f', '/usr/local/bin/hpc_submit_dockerjob')).stdout).toBe(
      `${packageDirectory}/bin/hpc-submit-dockerjob`,
    );
    for (const page of manualPages)
      expect((await run('readlink', '-f', `/usr/local/share/man/${page}`)).stdout).toBe(
        `${packageDirectory}/dist/man/${path.basename(page)}`,
      );
    expect((await run('stat', '-c', '%u %a', '/etc/sudoers.d/hpc-submit-dockerjob')).stdout).toBe('0 440');

    const before = await run('stat', '-L', '-c', '%i', `${packageDirectory}/runtime`);
    const again = await run(setup, '--unattended');
    expect(again.exitCode).toBe(0);
    expect(again.stdout).toContain('site.yaml (kept)');
    expect((await run('stat', '-L', '-c', '%i', `${packageDirectory}/runtime`)).stdout).toBe(before.stdout);
    expect(await readRuntime()).toMatch(
      /^\/opt\/hpc-submit-dockerjob\/lib\/hpc-submit-dockerjob\/runtime-[0-9a-f]{16}$/,
    );
    expect((await run('sh', '-c', 'ls -d /etc/sudoers.d/hpc*')).stdout).toBe('/etc/sudoers.d/hpc-submit-dockerjob');
  });

  test('leaves the runtime of running containers alone when the package is replaced', async () => {
    await install();
    const versions = [await readRuntime()];
    for (const version of ['two', 'three', 'four']) {
      // As npm does it: the package goes as a whole, whatever is mounted out of it.
      await run(
        'sh',
        '-c',
        `rm -rf ${packageDirectory}/runtime && echo '// ${version}' >>${packageDirectory}/dist/agent.cjs`,
      );
      await answerAsDocker(versions[0]!);
      await install();
      versions.push(await readRuntime());
    }
    await run('rm', '/usr/local/bin/docker');
    const [first, second, third, fourth] = versions;
    const left = (await run('sh', '-c', `ls -d ${runtimes}/runtime-* | grep -v lock`)).stdout.split('\n');
    expect(new Set(versions).size).toBe(4);
    // One that a container has mounted, the one before, and the new one.
    expect(left.toSorted()).toEqual([first, third, fourth].toSorted());
    expect(left).not.toContain(second);
    expect((await run('cat', `${first!}/agent.cjs`)).stdout).not.toContain('two');
  });

  describe('installs a sudo rule that', () => {
    beforeAll(install);

    test.for([
      [['open-job']],
      [['check-host']],
      [['run-node', '772', '0123456789abcdef']],
      [['run-node', '772_3', '0123456789abcdef']],
      [['release-job', '772']],
      [['release-node', '772']],
      [['control-job', '772', 'suspend']],
      [['enter-job', '772_3', '12']],
    ])('lets any user call %j as root', async ([argv]) => {
      const { stdout, stderr, exitCode } = await run(...asUser, helper, ...argv!);
      expect({ stdout, stderr, exitCode }).toEqual({ stdout: `0 65534 ${argv!.join(' ')}`, stderr: '', exitCode: 0 });
    });

    test('is what doctor asks for', async () => {
      const asks = async (argv: readonly string[]): Promise<boolean> =>
        (await run('sudo', '-n', '-l', '-U', 'nobody', '--', helper, ...argv)).exitCode === 0;
      for (const argv of allowedCalls) expect({ argv, isAllowed: await asks(argv) }).toEqual({ argv, isAllowed: true });
      for (const argv of forbiddenCalls)
        expect({ argv, isAllowed: await asks(argv) }).toEqual({ argv, isAllowed: false });
    });

    test.for([
      [[]],
      [['open-job', 'x']],
      [['check-host', 'full']],
      [['reap']],
      [['run-node']],
      [['run-node', '772']],
      [['run-node', '772 --force', '0123456789abcdef']],
      [['run-node', '772', '773']],
      [['run-node', '772', '0123456789abcdef', '--force']],
      [['run-node', '0772', '0123456789abcdef']],
      [['release-job', '772', '--force']],
      [['release-job', '--force', '772']],
      [['release-node', '--scheduler-job', '772']],
      [['control-job', '772', 'destroy']],
      [['control-job', '772', 'stop', 'now']],
      [['enter-job', '772']],
      [['enter-job', '772', '--help']],
      [['enter-job', '772', '-1']],
      [['enter-job', '772', '01']],
      [['enter-job', '772', '0', 'sh']],
      [['run-node', '772\n', '0123456789abcdef']],
      [['run-node', '772', '0123456789abcdef\n']],
      [['--help']],
    ])('lets no user call %j', async ([argv]) => {
      const { stdout, stderr, exitCode } = await run(...asUser, helper, ...argv!);
      expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 });
      expect(stderr).toMatch(/password is required|not allowed/);
    });

    test('lets no user keep his own uid with the group of root', async () => {
      const { stdout, stderr, exitCode } = await run(...anyUser, 'sudo', '-n', '-g', 'root', '--', helper, 'open-job');
      expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 });
      expect(stderr).toMatch(/password is required|not allowed/);
    });

    test('ends a short call that hangs, and no call that lasts as long as its job', async () => {
      const rule = '/etc/sudoers.d/hpc-submit-dockerjob';
      const file = `${packageDirectory}/dist/helper.cjs`;
      const hanging =
        'process.on("SIGTERM", () => {}).on("SIGHUP", () => {}); setTimeout(() => console.log("through"), 4500)';
      // The rule as it is installed but for its time, which no test can wait for.
      await run('sh', '-c', `cp ${rule} /opt/rule; sed -i s/command_timeout=15m/command_timeout=1s/ ${rule}`);
      await run('sh', '-c', `cp ${file} /opt/kept; echo '${hanging}' >${file}`);
      const calls = [['check-host'], ['release-job', '772'], ['control-job', '772', 'stop'], ['open-job']];
      const ended = await Promise.all(calls.map(async (argv) => await run(...asUser, helper, ...argv)));
      await run('sh', '-c', `cp /opt/kept ${file}; cat /opt/rule >${rule}`);
      expect(ended.map(({ stdout }) => stdout)).toEqual(['', '', '', 'through']);
      expect(ended.map(({ exitCode }) => exitCode === 0)).toEqual([false, false, false, true]);
    });

    test('lets no terminal stop a short call', async () => {
      const file = `${packageDirectory}/dist/helper.cjs`;
      await run('sh', '-c', `cp ${file} /opt/kept; echo 'setTimeout(() => console.log("through"), 2000)' >${file}`);
      // A shell with job control, to whose terminal somebody types ^Z.
      const call = `bash -mc "${[...asUser, helper, 'check-host'].join(' ')}; true"`;
      const typing = "{ sleep 1; printf '\\032'; sleep 3; }";
      const { stdout } = await run('sh', '-c', `${typing} | timeout 10 script -qec '${call}' /dev/null`);
      await run('sh', '-c', `cp /opt/kept ${file}`);
      expect(stdout).toContain('through');
    });

    test('gives the helper nothing of the caller’s environment', async () => {
      const { stdout, exitCode } = await run(
        ...anyUser,
        'env',
        'NODE_OPTIONS=--help',
        'LD_PRELOAD=/nonexistent',
        'sudo',
        '-n',
        '--',
        helper,
        'open-job',
      );
      expect({ stdout, exitCode }).toEqual({ stdout: '0 65534 open-job', exitCode: 0 });
      const forced = await run(...anyUser, 'sudo', '-n', 'NODE_OPTIONS=--help', helper, 'open-job');
      expect(forced.exitCode).toBe(1);
    });
  });

  test.for([
    ['a directory above it that others can write', `chmod g+w ${prefix}`, `chmod g-w ${prefix}`],
    [
      'a program of another owner',
      `chown 65534 ${packageDirectory}/dist/helper.cjs`,
      `chown 0 ${packageDirectory}/dist/helper.cjs`,
    ],
    [
      'a file that all can write',
      `chmod o+w ${packageDirectory}/share/assemble-runtime`,
      `chmod o-w ${packageDirectory}/share/assemble-runtime`,
    ],
    [
      'a foreign command in the way',
      'ln -sfn /bin/true /usr/local/bin/hpc-submit-dockerjob',
      'rm /usr/local/bin/hpc-submit-dockerjob',
    ],
  ] as const)('refuses %s', async ([, spoil, repair]) => {
    await run('sh', '-c', spoil);
    const { exitCode, stderr } = await run(setup, '--unattended');
    await run('sh', '-c', repair);
    expect(exitCode).toBe(77);
    expect(stderr).toMatch(/^hpc-dockerjob-setup: .+/);
  });

  test.for([
    ['an unknown option', [setup, '--quick'], 64],
    [
      'another user than root',
      ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', setup, '--unattended'],
      77,
    ],
  ] as const)('refuses %s', async ([, argv, status]) => {
    expect((await run(...(argv as readonly [string, ...string[]]))).exitCode).toBe(status);
  });

  test('takes nothing away while the Docker Engine does not say whether jobs run', async () => {
    await install();
    const runtime = await readRuntime();
    const isThere = async (): Promise<boolean> => (await run('test', '-e', `${runtime}/agent.cjs`)).exitCode === 0;
    const engine = '/usr/local/bin/docker';
    await run('sh', '-c', `printf '#!/bin/sh\necho no daemon >&2; exit 1' >${engine} && chmod 755 ${engine}`);
    const unanswered = await run(setup, '--uninstall', '--unattended');
    expect([unanswered.exitCode, await isThere()]).toEqual([69, true]);
    expect(unanswered.stderr).toMatch(/does not say whether containers of jobs run on this host: no daemon\. Start it/);
    await answerAsDocker(runtime);
    const running = await run(setup, '--uninstall', '--unattended');
    expect([running.exitCode, await isThere()]).toEqual([75, true]);
    await run('rm', engine);
  });

  test('takes everything away again but the policy', async () => {
    await install();
    const engine = '/usr/local/bin/docker';
    await run('sh', '-c', `printf '#!/bin/sh\n' >${engine} && chmod 755 ${engine}`); // answers: no container
    for (const time of ['first', 'second'])
      expect([time, (await run(setup, '--uninstall', '--unattended')).exitCode]).toEqual([time, 0]);
    await run('rm', engine);
    const left = await run(
      'sh',
      '-c',
      'ls -d /etc/sudoers.d/hpc* /usr/local/bin/* /usr/local/share/man/man*/* /etc/hpc-submit-dockerjob/*',
    );
    expect(left.stdout).toBe('/etc/hpc-submit-dockerjob/site.yaml');
    expect((await run('test', '-e', `${packageDirectory}/runtime`)).exitCode).toBe(1);
    expect((await run('test', '-e', runtimes)).exitCode).toBe(1);
  });

  test.for(['hpc-submit-dockerjob', 'hpc-submit-dockerjob-before-1.9.10'])(
    'ships a rule that visudo accepts: %s',
    async (name) => {
      expect((await run('visudo', '-c', '-f', path.join(root, 'share/sudoers', name))).exitCode).toBe(0);
    },
  );
});
