import { createHash } from 'node:crypto';
import type { JobKey } from '../../contract/job-key.ts';
import { parseJobKey } from '../../contract/job-key.ts';
import { labels } from '../../contract/labels.ts';
import type { ContainerSpec, FoundNetwork } from '../../ports/container-engine.ts';

/** The engine's own driver, and its option for the name of the device on the host. */
export const engineDriver = 'bridge';
export const deviceOption = 'com.docker.network.bridge.name';

/** Names of a job's Docker network and of its bridge device, which has room for 15 characters. */
export function bridgeNames(job: JobKey): { readonly network: string; readonly device: string } {
  const hash = createHash('sha256').update(job).digest('hex').slice(0, 12);
  return { network: `hpcdj-${job}`, device: `hj${hash}` };
}

/** A name of the same form that no job has. */
export const triedDevice = 'hj000000000000';

/** What the engine is told of the job's container that has this address. */
export function joinBridge(job: JobKey, ip: string): ContainerSpec['network'] {
  return { kind: 'engine', name: bridgeNames(job).network, ip };
}

/** True for the name of any job's bridge device. */
export function isBridgeDevice(device: string): boolean {
  return /^hj[0-9a-f]{12}$/.test(device);
}

/** True for a Docker network that this product has made: by its name and its device, which follow from the labelled job. */
export function isOwnNetwork({ name, labels: own, driver, isInternal, options }: Omit<FoundNetwork, 'id'>): boolean {
  const job = parseJobKey(own[labels.job] ?? '');
  if (job === undefined || driver !== engineDriver || !isInternal) return false;
  const expected = bridgeNames(job);
  return name === expected.network && options[deviceOption] === expected.device;
}
