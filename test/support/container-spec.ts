import { containerName } from '../../src/contract/job-key.ts';
import type { JobKey } from '../../src/contract/job-key.ts';
import { labels } from '../../src/contract/labels.ts';
import { nodeRunDirectory } from '../../src/contract/own-objects.ts';
import type { ContainerSpec } from '../../src/ports/container-engine.ts';
import type { TestEngine } from './docker-engine.ts';

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

/** By which the container of a job's first node is known as ours; makes the directory that it names on the engine's host. */
export async function ownMarks(
  host: Pick<TestEngine, 'exec'>,
  job: JobKey,
  further: Readonly<Record<string, string>> = {},
): Promise<Pick<ContainerSpec, 'name' | 'labels' | 'mounts'>> {
  const source = `${nodeRunDirectory(job, 0)}/helper`;
  await host.exec('mkdir', '-p', source);
  return {
    name: containerName(job, 0),
    labels: { [labels.job]: job, [labels.node]: '0', ...further },
    mounts: [{ source, target: '/.hpcdj/helper', readOnly: true }],
  };
}
