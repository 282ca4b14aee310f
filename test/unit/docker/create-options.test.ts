import { expect, test } from 'vitest';
import { describeCreateOptions } from '../../../src/docker/describe-create-options.ts';
import { shellContainer } from '../../support/container-spec.ts';

const spec = shellContainer('sha256:0', 'true');

test('closes everything that the specification leaves open', async () => {
  expect(await describeCreateOptions(spec)).toMatchObject({
    User: '2001:2002',
    Entrypoint: ['/bin/sh'],
    Cmd: ['-c', 'true'],
    WorkingDir: '/',
    HostConfig: {
      Privileged: false,
      CapDrop: ['ALL'],
      CapAdd: [],
      SecurityOpt: ['no-new-privileges', expect.stringMatching(/^seccomp=\{/) as string],
      IpcMode: 'private',
      RestartPolicy: { Name: 'no' },
      AutoRemove: false,
      PublishAllPorts: false,
      LogConfig: { Type: 'none' },
    },
  });
});

test('never asks for what widens a container', async () => {
  const { HostConfig } = await describeCreateOptions(spec);
  const widening = [
    'Binds',
    'Devices',
    'DeviceRequests',
    'DeviceCgroupRules',
    'VolumesFrom',
    'PortBindings',
    'ExtraHosts',
    'PidMode',
    'UTSMode',
  ];
  expect(Object.keys(HostConfig ?? {}).filter((key) => widening.includes(key))).toEqual([]);
});

test('lets a process ask for a core file as far as the site allows, and gives none by itself', async () => {
  const { HostConfig } = await describeCreateOptions({ ...spec, ulimits: { ...spec.ulimits, core: 4096 } });
  expect(HostConfig?.Ulimits).toContainEqual({ Name: 'core', Soft: 0, Hard: 4096 });
});

test('gives no swap on top of the memory', async () => {
  const { HostConfig } = await describeCreateOptions({ ...spec, memoryBytes: 1024 });
  expect(HostConfig).toMatchObject({ Memory: 1024, MemorySwap: 1024 });
});

test('joins no network: a driver of ours gives it a link', async () => {
  const options = await describeCreateOptions(spec);
  expect(options.HostConfig?.NetworkMode).toBe('none');
  expect(options.NetworkingConfig).toBeUndefined();
});
