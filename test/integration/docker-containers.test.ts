import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectEngine } from '../../src/docker/connect-engine.ts';
import { listPlaces } from '../../src/helper/node/examine-image.ts';
import { listVolumes } from '../../src/policy/list-volumes.ts';
import { JobError } from '../../src/values/errors.ts';
import type { Container, ContainerEnd, ContainerEngine, ContainerSpec } from '../../src/ports/container-engine.ts';
import { loseAnswers, openDoor } from '../support/lossy-docker.ts';
import { slowInspections } from '../support/slow-docker.ts';
import { requireJobKey } from '../../src/contract/job-key.ts';
import { ownMarks, shellContainer } from '../support/container-spec.ts';
import { busyboxImage, startDockerEngine } from '../support/docker-engine.ts';
import type { TestEngine } from '../support/docker-engine.ts';

let lab: TestEngine;
let engine: ContainerEngine;
let imageId: string;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-test-'));
  await chmod(directory, 0o777);
  lab = await startDockerEngine();
  engine = connectEngine({ socketPath: lab.socketPath });
  imageId = (await engine.findImage(busyboxImage))?.id ?? '';
});

afterAll(async () => {
  await lab.stop();
  await rm(directory, { recursive: true, force: true });
});

const never = new AbortController().signal;

/** A process that waits a moment first, as ours do: `start` looks at the running process. */
async function run(spec: ContainerSpec): Promise<{ stdout: string; stderr: string; end: ContainerEnd }> {
  const container = await engine.createContainer(spec);
  try {
    const output = await container.attachOutput();
    await container.start();
    const [stdout, stderr, end] = await Promise.all([
      text(output.stdout),
      text(output.stderr),
      container.waitForEnd(never),
    ]);
    return { stdout, stderr, end };
  } finally {
    await container.remove();
  }
}

const afterStart = (script: string): string => `sleep 1; ${script}`;

/** What tells how a start went, of an end or an error. */
function pick(seen: unknown): object {
  return seen instanceof JobError ? { code: seen.code } : { exitStatus: (seen as ContainerEnd).exitStatus };
}

async function inspect(container: Container): Promise<Record<string, Record<string, unknown>>> {
  const parsed: unknown = JSON.parse(await lab.docker('inspect', container.id));
  return (parsed as Record<string, Record<string, unknown>>[])[0]!;
}

describe('images', () => {
  test('finds a local image by name and by id, with its environment', async () => {
    const byName = await engine.findImage(busyboxImage);
    expect(byName).toMatchObject({ id: expect.stringMatching(/^sha256:/) as string, environment: ['PATH=/bin'] });
    expect(await engine.findImage(byName!.id)).toEqual(byName);
  });

  test('knows nothing of an image that is not present', async () => {
    expect(await engine.findImage('hpc/absent:1.0')).toBeUndefined();
    expect(await engine.findImage('localhost:5000/hpc/absent:1.0')).toBeUndefined();
  });

  test('refuses to create a container of an absent image', async () => {
    const spec = shellContainer(`sha256:${'0'.repeat(64)}`, 'true');
    await expect(engine.createContainer(spec)).rejects.toMatchObject({ code: 'IMAGE_NOT_PRESENT' });
  });
});

describe('a container', () => {
  test('gives output and exit status of its command, as the user it was created for', async () => {
    const ran = await run(
      shellContainer(imageId, afterStart('id -u; id -g; id -G; hostname; pwd; echo oops >&2; exit 7'), {
        supplementaryGids: [3001, 3002],
      }),
    );
    expect(ran.stdout.split('\n')).toEqual(['2001', '2002', '2002 3001 3002', '772-node-0', '/', '']);
    expect(ran).toMatchObject({ stderr: 'oops\n', end: { exitStatus: 7, outOfMemory: false } });
  });

  test('has no capability, no way to new ones, a seccomp filter and an own IPC and PID namespace', async () => {
    const { stdout } = await run(
      shellContainer(imageId, afterStart('grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status; ps | wc -l')),
    );
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(stdout).toContain(`${set}:\t0000000000000000\n`);
    expect(stdout).toMatch(/NoNewPrivs:\t1\nSeccomp:\t2\n/);
    expect(Number(stdout.trim().split('\n').at(-1))).toBeLessThan(8);
  });

  test('has the limits of its specification and writes no core', async () => {
    const { stdout } = await run(
      shellContainer(
        imageId,
        afterStart(
          'ulimit -l; ulimit -s; ulimit -n; ulimit -c; df -k /dev/shm | tail -1; df -k /tmp | tail -1; touch /tmp/x /x',
        ),
        {
          ulimits: { memlock: 131_072, stack: -1, nofile: 4096, core: 0 },
          shmBytes: 32 * 1024 * 1024,
          tmpfs: [{ target: '/tmp', bytes: 16 * 1024 * 1024, mode: '1777', executable: true }],
          readOnlyRoot: true,
        },
      ),
    );
    const lines = stdout.split('\n');
    expect(lines.slice(0, 4)).toEqual(['128', 'unlimited', '4096', '0']);
    expect(lines[4]).toMatch(/^shm +32768 /);
    expect(lines[5]).toMatch(/^tmpfs +16384 /);
  });

  test('is what the kernel ends first when the job is out of memory', async () => {
    const { stdout } = await run(shellContainer(imageId, afterStart('cat /proc/self/oom_score_adj')));
    expect(stdout).toBe('500\n');
  });

  test('has a tmpfs of its own user that nobody else may enter', async () => {
    const tmpfs = [{ target: '/private', bytes: 1_048_576, mode: '0700', executable: false }];
    const { stdout } = await run(
      shellContainer(imageId, afterStart('stat -c "%u %g %a" /private; mount | grep /private'), { tmpfs }),
    );
    expect(stdout).toMatch(/^2001 2002 700\n/);
    expect(stdout).toContain('nosuid,nodev,noexec');
  });

  test('sees mounts where the specification says, read-only where it says so', async () => {
    const mounts = [
      { source: directory, target: '/data', readOnly: true },
      { source: '/usr/share', target: '/share', readOnly: false },
    ];
    const { stdout, stderr } = await run(
      shellContainer(imageId, afterStart('mount | grep -E " /(data|share) "; touch /data/x'), { mounts }),
    );
    expect(stdout).toMatch(/ \/data .*\bro\b/);
    expect(stderr).toContain('Read-only file system');
  });

  test('refuses a mount whose source is absent instead of making it as root', async () => {
    const mounts = [{ source: path.join(directory, 'absent'), target: '/data', readOnly: false }];
    await expect(engine.createContainer(shellContainer(imageId, 'true', { mounts }))).rejects.toMatchObject({
      code: 'HOST_UNFIT',
      message: expect.stringContaining('does not exist') as string,
    });
  });

  test('leaves nothing in the log of the engine', async () => {
    const container = await engine.createContainer(shellContainer(imageId, 'sleep 60'));
    const { HostConfig } = await inspect(container);
    expect(HostConfig).toMatchObject({
      LogConfig: { Type: 'none' },
      RestartPolicy: { Name: 'no' },
      AutoRemove: false,
      Privileged: false,
    });
    await container.remove();
  });

  test('is refused when its name is taken: the name is the lock', async () => {
    const spec = shellContainer(imageId, 'sleep 60', await ownMarks(lab, requireJobKey('9003')));
    const container = await engine.createContainer(spec);
    await expect(engine.createContainer(spec)).rejects.toMatchObject({ code: 'JOB_BUSY' });
    await container.remove();
  });

  test('is found by its labels, running or not, and only by all of them', async () => {
    const own = await ownMarks(lab, requireJobKey('9001'));
    const { labels } = own;
    const container = await engine.createContainer(shellContainer(imageId, 'sleep 60', own));
    expect(await engine.findContainers({ 'hpcdj.job': '9001' })).toMatchObject([
      { id: container.id, labels, running: false },
    ]);
    await container.start();
    expect(await engine.findContainers(labels)).toMatchObject([{ id: container.id, running: true }]);
    expect(await engine.findContainers({})).toMatchObject([{ id: container.id }]);
    expect(await engine.findContainers({ ...labels, 'hpcdj.node': '1' })).toEqual([]);
    await container.remove();
    expect(await engine.findContainers(labels)).toEqual([]);
  });

  test('of somebody else with the name of ours is no earlier run of the job', async () => {
    const own = await ownMarks(lab, requireJobKey('9002'));
    const container = await engine.createContainer(shellContainer(imageId, 'sleep 60', { ...own, mounts: [] }));
    await expect(engine.createContainer(shellContainer(imageId, 'sleep 60', own))).rejects.toMatchObject({
      code: 'HOST_UNFIT',
      message: expect.stringContaining('did not make it') as string,
    });
    await container.remove();
  });

  test('is removed with the volumes that its image made, as often as one likes', async () => {
    const image = await lab.importBusybox('hpcdj/volume:1', 'VOLUME /data');
    const container = await engine.createContainer(shellContainer(image, 'sleep 60'));
    await container.start();
    expect(await lab.docker('volume', 'ls', '-q')).not.toBe('');
    await Promise.all([container.remove(), container.remove()]);
    await container.remove();
    expect(await lab.docker('volume', 'ls', '-q')).toBe('');
  });

  test('is named as out of memory when the kernel killed it for that', async () => {
    const ran = await run(
      shellContainer(imageId, afterStart('exec tail -c 100m /dev/zero'), { memoryBytes: 16 * 1024 * 1024 }),
    );
    expect(ran.end).toEqual({ exitStatus: 137, outOfMemory: true });
  });

  test('lies below the cgroup of its specification', async () => {
    const cgroupParent = `/${path.basename(path.dirname(lab.socketPath))}/containers/job_12`;
    const { stdout } = await run(shellContainer(imageId, 'sleep 60', { cgroupParent, argv: ['/bin/sleep', '1'] }));
    expect(stdout).toBe('');
    const container = await engine.createContainer(shellContainer(imageId, 'sleep 60', { cgroupParent }));
    const { pid } = await container.start();
    expect(await lab.exec('cat', `/proc/${pid}/cgroup`)).toContain(`${cgroupParent}/${container.id}`);
    await container.remove();
  });
});

describe('start', () => {
  test('names the pid of the first process and its network namespace', async () => {
    const container = await engine.createContainer(shellContainer(imageId, 'sleep 60'));
    const { pid, networkNamespacePath } = await container.start();
    expect(await lab.exec('nsenter', `--net=${networkNamespacePath}`, 'readlink', '/proc/self/ns/net')).toBe(
      await lab.exec('readlink', `/proc/${pid}/ns/net`),
    );
    await container.remove();
  });

  test('refuses a container that has ended before it could be looked at', async () => {
    await using slow = await slowInspections(lab.socketPath, path.join(directory, 'slow.sock'), 1500);
    const slowEngine = connectEngine({ socketPath: slow.socketPath });
    const container = await slowEngine.createContainer(shellContainer(imageId, '', { argv: ['/bin/nothing'] }));
    await expect(container.start()).rejects.toMatchObject({
      code: 'IMAGE_UNUSABLE',
      message: 'The container ended as soon as it was started, with exit status 127.',
    });
    await container.remove();
  });

  test('of a container that ends at once either fails or lets its end be seen', async () => {
    const container = await engine.createContainer(shellContainer(imageId, '', { argv: ['/bin/nothing'] }));
    const seen = await container.start().then(
      async () => await container.waitForEnd(never),
      (error: unknown) => error,
    );
    expect([{ exitStatus: 127 }, { code: 'IMAGE_UNUSABLE' }, { code: 'HOST_UNFIT' }]).toContainEqual(
      expect.objectContaining(pick(seen)) as object,
    );
    await container.remove();
  });
});

describe('an engine that is restarted while a container starts', () => {
  test('has made a container although it could not say so: it is found again', async () => {
    const kinds = [/^POST .*\/containers\/create/, /^POST .*\/start/] as const;
    await using lossy = await loseAnswers(lab.socketPath, path.join(directory, 'lossy.sock'), ...kinds);
    const patient = connectEngine({ socketPath: lossy.socketPath, retryMs: 5000 });
    const job = requireJobKey('77');
    const marks = await ownMarks(lab, job, { 'hpcdj.token': 'one' });
    const spec = shellContainer(imageId, afterStart('exit 6'), marks);
    const container = await patient.createContainer(spec);
    const { pid } = await container.start();
    expect(pid).toBeGreaterThan(1);
    expect(await container.waitForEnd(never)).toEqual({ exitStatus: 6, outOfMemory: false });
    expect(lossy.lost).toHaveLength(2);
    expect((await engine.findContainers({ 'hpcdj.job': '77' })).map((found) => found.name)).toEqual([marks.name]);
    // Another run's, or one that runs already, is nobody's to take.
    const stranger = { ...spec, labels: { ...marks.labels, 'hpcdj.token': 'two' } };
    await expect(patient.createContainer(stranger)).rejects.toMatchObject({ code: 'JOB_BUSY' });
    await container.remove();
  });

  test('is waited for once, not by each call anew; output that was asked for before is attached again', async () => {
    await using door = await openDoor(lab.socketPath, path.join(directory, 'door.sock'));
    const patient = connectEngine({ socketPath: door.socketPath, retryMs: 3000 });
    const container = await patient.createContainer(shellContainer(imageId, afterStart('echo whole')));
    const output = await container.attachOutput();
    await door.close();
    const started = container.start();
    await sleep(1000);
    await door.open();
    await started;
    expect(await text(output.stdout)).toBe('whole\n');
    await container.remove();
    await door.close();
    const startedAt = performance.now();
    await expect(patient.ping()).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' });
    await expect(patient.findImage(busyboxImage)).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' });
    await expect(patient.ping()).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' });
    const ms = performance.now() - startedAt;
    expect(ms).toBeGreaterThan(2900);
    expect(ms).toBeLessThan(5000);
  });
});

describe('an engine that is away while a container runs', () => {
  test('is not needed to know whether the container lives', async () => {
    await using door = await openDoor(lab.socketPath, path.join(directory, 'away.sock'));
    const away = connectEngine({ socketPath: door.socketPath, absenceMs: 600_000 });
    const container = await away.createContainer(shellContainer(imageId, 'sleep 60'));
    const { pid } = await container.start();
    const ended = container.waitForEnd(never).catch((error: unknown) => error);
    await door.close();
    expect(await Promise.race([ended, sleep(3000, 'lives')])).toBe('lives');
    await lab.exec('kill', '-KILL', String(pid));
    expect(await ended).toMatchObject({
      code: 'NODE_LOST',
      message: expect.stringContaining('nobody knows how') as string,
    });
    await engine.removeContainer(container.id);
  }, 40_000);
});

describe('waitForEnd', () => {
  test('tells the end of a container that ended before anybody waited', async () => {
    const container = await engine.createContainer(shellContainer(imageId, afterStart('exit 5')));
    await container.start();
    await sleep(1500);
    expect(await container.waitForEnd(never)).toEqual({ exitStatus: 5, outOfMemory: false });
    await container.remove();
  });

  test('may begin before the container is started', async () => {
    const container = await engine.createContainer(shellContainer(imageId, afterStart('exit 6')));
    const end = container.waitForEnd(never);
    await sleep(200);
    await container.start();
    expect(await end).toMatchObject({ exitStatus: 6 });
    await container.remove();
  });

  test('ends when its signal is aborted', async () => {
    const container = await engine.createContainer(shellContainer(imageId, 'sleep 60'));
    await container.start();
    await expect(container.waitForEnd(AbortSignal.timeout(200))).rejects.toThrow();
    await container.remove();
  });

  test('says that the container is lost when somebody removes it', async () => {
    const container = await engine.createContainer(shellContainer(imageId, 'sleep 60'));
    await container.start();
    const end = container.waitForEnd(never);
    await sleep(200);
    await Promise.all([expect(end).rejects.toMatchObject({ code: 'NODE_LOST' }), lab.docker('rm', '-f', container.id)]);
  });
});

describe('stop, pause and unpause', () => {
  test('asks with TERM first and kills after the grace', async () => {
    const polite = await run_until_stopped('trap "exit 9" TERM; sleep 60 & wait', 10);
    expect(polite.end.exitStatus).toBe(9);
    expect(polite.seconds).toBeLessThan(5);
    const deaf = await run_until_stopped('trap "" TERM; sleep 60 & wait; sleep 60', 1);
    expect(deaf.end.exitStatus).toBe(137);
    expect(deaf.seconds).toBeLessThan(5);
  });

  test('stops a paused container', async () => {
    const container = await engine.createContainer(shellContainer(imageId, 'trap "exit 9" TERM; sleep 60 & wait'));
    await container.start();
    await sleep(200);
    await container.pause();
    await container.pause();
    await container.stop(5);
    expect(await container.waitForEnd(never)).toMatchObject({ exitStatus: 9 });
    await container.stop(5);
    await container.remove();
    await container.stop(5);
  });

  test('lets a paused container go on', async () => {
    const container = await engine.createContainer(shellContainer(imageId, 'sleep 60'));
    await container.start();
    await container.pause();
    await container.unpause();
    await container.unpause();
    expect(await inspect(container)).toMatchObject({ State: { Status: 'running' } });
    await container.remove();
  });

  async function run_until_stopped(
    script: string,
    graceSeconds: number,
  ): Promise<{ end: ContainerEnd; seconds: number }> {
    const container = await engine.createContainer(shellContainer(imageId, script));
    await container.start();
    await sleep(300);
    const began = Date.now();
    await container.stop(graceSeconds);
    const end = await container.waitForEnd(never);
    await container.remove();
    return { end, seconds: (Date.now() - began) / 1000 };
  }
});

describe('a hostile image', () => {
  test.each([
    ['ENTRYPOINT', ['ENTRYPOINT ["/bin/false"]', 'CMD ["x"]']],
    ['WORKDIR', ['WORKDIR /proc/self/fd/8']],
    ['HEALTHCHECK', ['HEALTHCHECK --interval=1s CMD /bin/false']],
    ['USER', ['USER root']],
    ['VOLUME over a tmpfs', ['VOLUME /tmp']],
    ['EXPOSE', ['EXPOSE 80']],
  ])('gains nothing by %s', async (name, changes) => {
    const image = await lab.importBusybox(`hpcdj/hostile:${name.toLowerCase().replaceAll(' ', '-')}`, ...changes);
    const tmpfs = [{ target: '/tmp', bytes: 1_048_576, mode: '1777', executable: true }];
    const ran = await run(shellContainer(image, afterStart('id -u; pwd; echo ok >/tmp/x && cat /tmp/x'), { tmpfs }));
    expect(ran).toMatchObject({ stdout: '2001\n/\nok\n', stderr: '', end: { exitStatus: 0 } });
  });

  test.each([
    ['group', '3001:x:42:\n'],
    ['main group', '2002:x:42:me\n'],
  ])('is refused when it turns the %s of the user into another one', async (name, group) => {
    const files = { 'etc/passwd': 'me:x:2001:2002::/:/bin/sh\n', 'etc/group': group };
    const image = await lab.importBusyboxWith(`hpcdj/groups:${name.length}`, files);
    const container = await engine.createContainer(shellContainer(image, 'sleep 60', { supplementaryGids: [3001] }));
    await expect(container.start()).rejects.toMatchObject({
      code: 'HOST_UNFIT',
      message: expect.stringContaining('groups 42') as string,
    });
    await container.remove();
  });

  test('gives its user no further groups by naming it in its group file', async () => {
    const files = { 'etc/passwd': 'me:x:2001:2002::/:/bin/sh\n', 'etc/group': 'docker:x:42:me\n' };
    const image = await lab.importBusyboxWith('hpcdj/groups:2', files);
    const { stdout } = await run(shellContainer(image, afterStart('id -G')));
    expect(stdout).toBe('2002\n');
  });
});

describe('an image that is looked into', () => {
  let asked = 0;
  const ask = async (image: string, siteTargets: readonly string[] = ['/scratch']) => {
    const volumes = listVolumes((await engine.findImage(image)) ?? { volumes: [] });
    const mounts = [
      ...['/.hpcdj/runtime', ...siteTargets].map((target) => ({ source: '/', target, readOnly: true })),
      ...['/etc/passwd', '/etc/group', '/etc/hosts'].map((target) => ({
        ...{ source: '/', target, readOnly: true, isFile: true },
      })),
    ];
    const tmpfs = ['/.hpcdj/private', '/tmp'].map((target) => ({ target, bytes: 1, mode: '0700', executable: true }));
    return await engine.findImageFaults({
      imageId: image,
      name: `hpcdj-test-${process.pid}-image-${asked++}`,
      labels: { 'hpcdj.job': '773' },
      volumes,
      places: listPlaces({ mounts, tmpfs }, volumes, siteTargets),
    });
  };
  afterAll(async () => {
    expect(await lab.docker('ps', '--all', '--quiet', '--filter', 'label=hpcdj.job=773')).toBe('');
    expect(await lab.docker('volume', 'ls', '-q')).toBe('');
  });

  const withCommands = async (name: string, commands: string, ...changes: string[]): Promise<string> => {
    const made = await lab.docker('run', '--detach', '--network=none', imageId, '/bin/sh', '-c', `${commands}; :`);
    await lab.docker('wait', made.trim());
    const lines = changes.flatMap((line) => ['--change', line]);
    const id = await lab.docker('commit', ...lines, made.trim(), `hpcdj/links:${name}`);
    await lab.docker('rm', made.trim());
    return id.trim();
  };

  test('is not present: nothing can be said', async () => {
    expect(await ask(`sha256:${'0'.repeat(64)}`)).toBeUndefined();
  });

  test.each([
    ['has no group file', 'true'],
    ['has groups of usual names', 'mkdir -p /etc; printf "root:x:0:\\n100:x:100:\\nusers:x:1000:me\\n" >/etc/group'],
    [
      'has links that stay inside',
      'mkdir -p /usr/etc /usr/sbin; ln -s usr/sbin /sbin; rm -rf /etc; ln -s /usr/etc /etc',
    ],
    [
      'has a name server that is a link',
      'mkdir -p /etc; rm -f /etc/resolv.conf; ln -s ../run/stub.conf /etc/resolv.conf',
    ],
    ['has directories of ours', 'mkdir -p /.hpcdj/runtime /scratch/old'],
    ['leads a mount of the site to where nothing is', 'ln -s data/scratch /scratch'],
    [
      'declares volumes beside all else',
      'true',
      'VOLUME /data /data/inner //var//lib/ /tmp /tmp/below /scratch /x/../y',
    ],
  ])('is fine when it %s', async (name, commands, ...changes) => {
    expect(await ask(await withCommands(`good${name.length}`, commands, ...changes))).toEqual([]);
  });

  test.each([
    ['calls a group by the number of another', 'mkdir -p /etc; echo 2100:x:42: >/etc/group', 'by the number 2100'],
    [
      'does so behind a link',
      'mkdir -p /etc /g; echo 2100:x:42: >/g/it; ln -s ../g/it /etc/group',
      'by the number 2100',
    ],
    ['leads our directory into a mount', 'ln -s /scratch/bob/made /.hpcdj', '/.hpcdj/runtime leads into /scratch'],
    [
      'leads a file of ours there',
      'mkdir -p /etc; ln -s ../scratch/bob/made /etc/group',
      '/etc/group leads into /scratch',
    ],
    ["leads the engine's files there", 'ln -s scratch/bob /sbin', '/sbin/docker-init leads into /scratch'],
    [
      'leads a mount to where our directory leads as well',
      'mkdir /.x; ln -s /.x /scratch; ln -s /.x/alice/d /.hpcdj',
      '/.hpcdj/runtime leads into /.x, where /scratch comes to lie',
    ],
    ['has a directory instead of a file', 'mkdir -p /etc/passwd', 'its /etc/passwd is no file of a usual size'],
    ['has a file instead of a directory', 'echo >/scratch', 'its /scratch is no directory'],
    ['has a pipe that its users are read from', 'mkdir /etc; mkfifo /etc/passwd', 'its /etc/passwd is no file'],
    ['has links in a circle', 'ln -s /b /.hpcdj; ln -s /.hpcdj /b', 'links in a circle?'],
    ['has a line without an end', 'mkdir /etc; head -c 70000 /dev/zero | tr "\\0" x >/etc/passwd', 'an unusual length'],
    [
      'declares a volume of ours',
      'true',
      'its volume /.hpcdj/runtime/lib lies in /.hpcdj/runtime, which belongs to the container',
      'VOLUME /.hpcdj/runtime/lib',
    ],
    [
      'leads a volume into a mount',
      'ln -s /scratch/bob /data',
      'volume /data/made leads into /scratch',
      'VOLUME /data/made',
    ],
    [
      'declares a volume in a mount',
      'mkdir -p /data',
      'its volume /scratch/bob/made-by-root lies in /scratch, which is mounted from outside',
      'VOLUME /data /scratch/bob/made-by-root',
    ],
  ])('is refused when it %s', async (name, commands, fault, ...changes) => {
    expect((await ask(await withCommands(`bad${name.length}`, commands, ...changes)))?.join()).toContain(fault);
  });

  test('may lead one mount of the site elsewhere, but not into another', async () => {
    const image = await withCommands('mounts', 'rm -rf /home; ln -s /scratch/x /home; ln -s /usr/h /tools');
    expect(await ask(image, ['/scratch', '/tools'])).toEqual([]);
    expect((await ask(image, ['/scratch', '/home']))?.join()).toContain('/home leads into /scratch');
  });

  test('has no volume made of it that was not named', async () => {
    const image = await withCommands('unnamed', 'true', 'VOLUME /data');
    const question = { imageId: image, name: `hpcdj-test-${process.pid}-unnamed`, labels: {}, volumes: [], places: [] };
    expect(await engine.findImageFaults(question)).toEqual(['its volume "/data" cannot be kept from being made']);
  });
});

describe('an engine that does not answer', () => {
  test.each([
    ['absent', (socket: string) => Promise.resolve(socket)],
    ['not listening', (socket: string) => listenOnce(socket)],
  ])('is named by its socket when it is %s', async (_, prepare) => {
    const socketPath = await prepare(path.join(directory, 'none.sock'));
    await expect(connectEngine({ socketPath }).ping()).rejects.toMatchObject({
      code: 'ENGINE_UNREACHABLE',
      message: expect.stringContaining(socketPath) as string,
    });
  });

  test('is given up after the deadline when it is silent', async () => {
    const socketPath = path.join(directory, 'silent.sock');
    const server = createServer((socket) => socket.on('error', () => undefined)).listen(socketPath);
    const silent = connectEngine({ socketPath, callTimeoutMs: 300 });
    const began = Date.now();
    await expect(silent.ping()).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' });
    await expect(silent.findContainers({ 'hpcdj.job': '1' })).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' });
    expect(Date.now() - began).toBeLessThan(3000);
    server.close();
  });

  test('is not replaced by another one that the environment names', async () => {
    process.env['DOCKER_HOST'] = 'tcp://127.0.0.1:1';
    try {
      expect(await connectEngine({ socketPath: lab.socketPath }).ping()).toMatchObject({ seccomp: true });
    } finally {
      delete process.env['DOCKER_HOST'];
    }
  });

  async function listenOnce(socket: string): Promise<string> {
    const server = createServer().listen(socket);
    await new Promise((resolve) => server.once('listening', resolve));
    await new Promise((resolve) => server.close(resolve));
    return socket;
  }
});
