import { JobError } from '../../values/errors.ts';
import type { HostCommands } from '../../ports/host-commands.ts';

/** Fails with `HOST_UNFIT` unless only root can bind the ports by which the filter tells the kernel's frames from a user's. */
export async function requirePrivilegedPorts(commands: Pick<HostCommands, 'readSetting'>): Promise<void> {
  const first = Number(await commands.readSetting('net.ipv4.ip_unprivileged_port_start'));
  if (first >= 1024) return;
  throw new JobError({
    code: 'HOST_UNFIT',
    message: `On this host users may bind ports from ${first} on, so they could forge frames of job networks.`,
    hint: 'Ask the administrators to set net.ipv4.ip_unprivileged_port_start to 1024.',
  });
}
