import * as z from 'zod';
import type { HostCommands } from '../../ports/host-commands.ts';
import { JobError } from '../../values/errors.ts';
import { parseJsonAs } from '../../values/parse-json-as.ts';

const linksSchema = z.array(
  z.object({
    ifname: z.string(),
    master: z.string().optional(),
    linkinfo: z.object({ info_kind: z.string().optional() }).optional(),
  }),
);

/**
 * Fails with `JOB_BUSY` when the host has a device of that name that is no empty bridge: the engine would take it for
 * the network's own, and the job would meet whoever is on it. An empty bridge is what an engine leaves that died while it
 * made one.
 */
export async function requireFreeDevice(commands: HostCommands, device: string): Promise<void> {
  // Without a program where nothing is, which is nearly always.
  if (!(await isThere(commands, device))) return;
  const links = parseJsonAs(linksSchema, await commands.run('ip', ['-details', '-json', 'link', 'show']));
  const found = links.find(({ ifname }) => ifname === device);
  if (found === undefined) return;
  const kind = found.linkinfo?.info_kind;
  const port = links.find(({ master }) => master === device);
  if (kind === 'bridge' && port === undefined) return;
  const what = kind === 'bridge' ? `a bridge with ${port?.ifname ?? ''} on it` : `a ${kind ?? 'device of no kind'}`;
  throw new JobError({
    code: 'JOB_BUSY',
    message: `The host has a device ${device} that the job's network did not make: ${what}.`,
    hint: `Ask the administrators who made it ("ip -details link show ${device}"), and to remove or rename it.`,
  });
}

async function isThere(commands: HostCommands, device: string): Promise<boolean> {
  return await commands.readSetting(`net.ipv4.conf.${device}.forwarding`).then(
    (value) => value !== '',
    () => false,
  );
}
