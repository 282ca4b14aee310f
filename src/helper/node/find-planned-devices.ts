import type { SiteConfig } from '../../config/site-schema.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import { findDeviceNodes } from '../../config/find-device-nodes.ts';
import { JobError } from '../../values/errors.ts';

/**
 * The device nodes of this host that the plan's devices stand for, by this host's own site.yaml. Fails with `HOST_UNFIT` where
 * devices that were asked for are not there, and as `findDeviceNodes` does.
 */
export async function findPlannedDevices(
  { devices }: SiteConfig,
  plan: Pick<JobPlan, 'devices'>,
  host: string,
): Promise<readonly string[]> {
  const nodes: string[] = [];
  for (const { name, nodes: patterns, always } of devices.allowed) {
    if (!plan.devices.includes(name)) continue;
    const found = await findDeviceNodes(patterns);
    if (found.length === 0 && !always) throw absent(name, patterns, host);
    nodes.push(...found);
  }
  return [...new Set(nodes)];
}

function absent(name: string, patterns: readonly string[], host: string): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: `Host ${host} has no devices "${name}": nothing matches ${patterns.join(', ')}.`,
    hint: 'Ask the scheduler for hosts that have them; if this one should, ask the administrators to look at it.',
    rule: `devices.allowed "${name}"`,
  });
}
