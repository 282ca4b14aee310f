import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isInLsfJob, lsfScheduler } from '../../../src/lsf/lsf-scheduler.ts';
import type { LauncherChoice } from '../../../src/lsf/choose-launcher.ts';
import { refuseContainerMode } from '../../../src/lsf/refuse-container-mode.ts';
import type { LaunchCommand } from '../../../src/ports/scheduler.ts';
import { requireJobKey } from '../../../src/contract/job-key.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lsf-scheduler-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function launchWith(
  installed: readonly string[],
  launcher: LauncherChoice = 'auto',
  names: readonly string[] = ['node2', 'node1'],
): LaunchCommand {
  for (const name of installed) {
    writeFileSync(join(directory, name), '#!/bin/sh\n');
    chmodSync(join(directory, name), 0o755);
  }
  const scheduler = lsfScheduler({
    ...{ commandPath: directory, launcher, spreadCommand: ['/node', 'cli.cjs', 'spread'], onHostCommand: ['/on-host'] },
  });
  const hosts = names.map((name) => ({ name, slots: 2 }));
  const allocation = { scheduler: 'lsf', schedulerJobId: '12', job: requireJobKey('12'), hosts } as const;
  const commands = [scheduler.launchOnEveryHost(allocation, ['/bin/x', '-a', 'b c'])].flat();
  expect(commands).toHaveLength(1);
  return commands[0]!;
}

describe('the launcher', () => {
  it('is blaunch where it is there: one task on each host', () => {
    expect(launchWith(['blaunch', 'lsrun', 'ssh'])).toEqual({
      file: join(directory, 'blaunch'),
      argv: ['-n', '-no-shell', '-z', 'node2 node1', '/on-host', '/bin/x', '-a', 'b c'],
      environment: {},
      isApart: true,
    });
  });

  it('is lsrun without it, which must not look into the command for options nor split it again', () => {
    expect(launchWith(['lsrun', 'ssh'])).toEqual({
      file: join(directory, 'lsrun'),
      argv: ['-p', '-m', 'node2 node1', '--', '/on-host', '/bin/x', '-a', 'b c'],
      environment: { LSF_JOB_STARTER: undefined },
      isApart: true,
    });
  });

  it('is ssh at last, by this program’s own fan-out', () => {
    expect(launchWith(['ssh'])).toEqual({
      file: '/node',
      argv: ['cli.cjs', 'spread', join(directory, 'ssh'), 'node2,node1', '--', '/on-host', '/bin/x', '-a', 'b c'],
      environment: {},
      isApart: true,
    });
  });

  it('is not needed on one host, where the helper leaves the process group that LSF signals', () => {
    expect(launchWith([], 'auto', ['node1'])).toEqual({
      ...{ file: '/on-host', argv: ['/bin/x', '-a', 'b c'], environment: {} },
    });
  });

  it('is the one that the site names', () => {
    expect(launchWith(['blaunch', 'lsrun', 'ssh'], 'lsrun').file).toBe(join(directory, 'lsrun'));
  });

  it.each<[readonly string[], LauncherChoice, string]>([
    [[], 'auto', 'none of blaunch, lsrun, ssh'],
    [['lsrun', 'ssh'], 'blaunch', 'scheduler.lsf.launcher: blaunch'],
  ])('says what is missing when only %j is there and the site says %s', (installed, launcher, message) => {
    expect(() => launchWith(installed, launcher)).toThrow(
      expect.objectContaining({
        code: 'LAUNCHER_FAILED',
        message: expect.stringContaining(message) as string,
      }) as Error,
    );
  });
});

describe('isInLsfJob', () => {
  it.each<[NodeJS.ProcessEnv, boolean]>([
    [{ LSB_JOBID: '1' }, true],
    [{ LSB_JOBID: '' }, false],
    [{ SLURM_JOB_ID: '1' }, false],
    [{ LSF_BINDIR: '/opt/lsf/bin' }, false],
  ])('answers %j with %s', (environment, isInJob) => {
    expect(isInLsfJob(environment)).toBe(isInJob);
  });
});

describe('refuseContainerMode', () => {
  const marks = { environment: {}, cgroupText: '4:memory:/lsf/c1/job.12.34.56\n', hasRootMark: false };
  const container = 'a'.repeat(64);

  it.each([
    ['a container below the job’s cgroup', { cgroupText: `4:memory:/lsf/c1/job.12.34.56/${container}\n` }],
    ['a systemd scope of one', { cgroupText: `0::/lsf/c1/job.12.34.56/docker-${container}.scope\n` }],
    ['LSF’s variables inside a container', { environment: { LSB_CONTAINER_IMAGE: 'centos:7' }, hasRootMark: true }],
    ['its Docker variables there', { environment: { LSF_DOCKER_VOLUMES: '/a:/a' }, hasRootMark: true }],
  ])('stops at %s', (_, found) => {
    expect(() => refuseContainerMode({ ...marks, ...found })).toThrow('Docker mode');
  });

  it.each([
    ['a job on the host', {}],
    ['variables around a job on the host', { environment: { LSF_DOCKER_VOLUMES: '/a:/a' } }],
    ['a host that is a container itself', { hasRootMark: true }],
  ])('lets %s go on', (_, found) => {
    expect(() => refuseContainerMode({ ...marks, ...found })).not.toThrow();
  });
});
