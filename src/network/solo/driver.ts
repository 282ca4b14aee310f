import * as z from 'zod';
import type { HostCommands } from '../../ports/host-commands.ts';
import type { NetworkDriver, NetworkNode, NetworkPlan } from '../../ports/network-driver.ts';
import { JobError } from '../../values/errors.ts';
import { containsAddress } from '../../values/subnet.ts';
import { containerInterface, runInside, saysExists } from '../inside-container.ts';
import { describeLink } from './link.ts';
import type { LinkEnd } from './link.ts';

/**
 * The network of a job on one host: a link in its container that leads nowhere but back into it. Nothing of it is on the
 * host, and the kernel removes it with the container.
 */
export function soloDriver(commands: HostCommands): NetworkDriver {
  return {
    prepare: () => Promise.resolve({ kind: 'none' }),
    attach: async (plan, node, { networkNamespacePath }) => {
      const lines = describeLink(requireEnd(plan, node));
      const inside = async (line: readonly [string, ...string[]], input?: string): Promise<string> =>
        await runInside(commands, networkNamespacePath, line, input);
      await inside(['ip', '-batch', '-'], lines).catch(async (error: unknown) => {
        if (!saysExists(error)) throw error;
        // A try before this one may have come half-way. Nobody else can make a link there: the job has no right to.
        await inside(['ip', 'link', 'delete', 'dev', containerInterface]);
        await inside(['ip', '-batch', '-'], lines);
      });
    },
    release: () => Promise.resolve(),
    findLeftovers: () => Promise.resolve([]),
    findJobs: () => Promise.resolve([]),
  };
}

/** What goes into the command, checked once more: the plan comes out of the store. */
const endSchema = z.object({
  ip: z.ipv4(),
  mac: z.string().regex(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/),
  prefixLength: z.number().int().min(1).max(30),
});

/** The link's end with an address. Fails with `HOST_UNFIT` when the plan does not describe one. */
export function requireEnd({ network: { cidr } }: NetworkPlan, { ip, mac }: NetworkNode): LinkEnd {
  const { data, success } = endSchema.safeParse({ ip, mac, prefixLength: Number(cidr.split('/')[1]) });
  if (success && containsAddress(cidr, ip)) return data;
  throw new JobError({
    code: 'HOST_UNFIT',
    message: `The plan of the job describes no usable network: ${ip.slice(0, 50)} in ${cidr.slice(0, 50)}.`,
  });
}
