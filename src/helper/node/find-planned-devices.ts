import type { SiteConfig } from '../../config/site-schema.ts';
import { findDeviceNodes } from '../../config/find-device-nodes.ts';
import { indexedPath, isIndexed } from '../../config/indexed-devices.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import type { SchedulerAuthority } from '../../ports/scheduler.ts';
import { JobError } from '../../values/errors.ts';

type AllowedDevice = SiteConfig['devices']['allowed'][number];

/**
 * The device nodes of this host that the plan's devices stand for, by this host's own site.yaml and, where that names a GRES, by the
 * scheduler's word of what the job has here. Fails with `HOST_UNFIT` where devices that were asked for, or allotted, are not
 * there, with `DEVICE_NOT_ALLOWED` where those that were asked for are not allotted, and as `findDeviceNodes` does.
 */
export async function findPlannedDevices(
  { devices }: SiteConfig,
  authority: Pick<SchedulerAuthority, 'name' | 'readGres'>,
  plan: Pick<JobPlan, 'devices' | 'schedulerJobId'>,
  host: string,
): Promise<readonly string[]> {
  const planned = devices.allowed.filter(({ name }) => plan.devices.includes(name));
  const isGresNeeded = planned.some(({ gres }) => gres !== '');
  const gres = isGresNeeded ? await authority.readGres?.(plan.schedulerJobId, host) : undefined;
  const nodes: string[] = [];
  for (const device of planned) {
    const indexes = device.gres === '' ? [] : (gres?.get(device.gres) ?? []);
    if (device.gres !== '' && indexes.length === 0) {
      if (!device.always) throw notAllotted(device, host, authority);
      continue;
    }
    const found = await findNodes(device, indexes, host);
    if (found.length === 0 && !device.always) throw absent(device.name, device.nodes.join(', '), host);
    nodes.push(...found);
  }
  return [...new Set(nodes)];
}

/** Each device of an index must be there: the scheduler has given it to the job. */
async function findNodes(device: AllowedDevice, indexes: readonly number[], host: string): Promise<readonly string[]> {
  const found = [...(await findDeviceNodes(device.nodes.filter((node) => !isIndexed(node))))];
  for (const node of device.nodes.filter(isIndexed)) {
    for (const index of indexes) {
      const path = indexedPath(node, index);
      const here = await findDeviceNodes([path]);
      if (here.length === 0) throw absent(device.name, path, host);
      found.push(...here);
    }
  }
  return found;
}

function absent(name: string, nodes: string, host: string): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: `Host ${host} has no devices "${name}": nothing matches ${nodes}.`,
    hint: 'Ask the scheduler for hosts that have them; if this one should, ask the administrators to look at it.',
    rule: `devices.allowed "${name}"`,
  });
}

function notAllotted({ name, gres }: AllowedDevice, host: string, { name: scheduler }: { name: string }): JobError {
  return new JobError({
    code: 'DEVICE_NOT_ALLOWED',
    message: `The devices "${name}" are for jobs with a ${gres} on host ${host}, and ${scheduler} gives this one none there.`,
    hint:
      scheduler === 'slurm' ? `Ask for it when you submit: --gres=${gres}:1.` : 'Only Slurm tells which are a job’s.',
    rule: `devices.allowed "${name}".gres`,
  });
}
