import type { ContainerSpec } from '../../src/ports/container-engine.ts';

let count = 0;

/** A container of user 2001 that runs `script` with the image's /bin/sh; the rest as small as it can be. */
export function shellContainer(imageId: string, script: string, changes: Partial<ContainerSpec> = {}): ContainerSpec {
  count += 1;
  return {
    name: `hpcdj-test-${process.pid}-${count}`,
    imageId,
    hostname: '772-node-0',
    labels: { 'hpcdj.job': '772' },
    uid: 2001,
    gid: 2002,
    supplementaryGids: [],
    argv: ['/bin/sh', '-c', script],
    environment: {},
    mounts: [],
    tmpfs: [],
    network: { kind: 'none' },
    shmBytes: 64 * 1024 * 1024,
    pidsMax: 100,
    ulimits: { memlock: 65_536, stack: 8_388_608, nofile: 1024, core: -1 },
    readOnlyRoot: false,
    ...changes,
  };
}
