import * as z from 'zod';
import { JobError } from '../../values/errors.ts';
import { parseJsonAs } from '../../values/parse-json-as.ts';
import { containerInterface } from '../inside-container.ts';
import { linkName } from './link.ts';
import type { Tunnel } from './tunnel.ts';

const linksSchema = z.array(
  z.object({
    ifname: z.string(),
    address: z.string().optional(),
    linkinfo: z
      .object({
        info_kind: z.string().optional(),
        info_data: z
          .object({ id: z.number().optional(), local: z.string().optional(), port: z.number().optional() })
          .optional(),
      })
      .optional(),
  }),
);

type Link = z.infer<typeof linksSchema>[number];

/**
 * The link in the container's namespace that an earlier try for this very tunnel has left, by name; `links` is what
 * `ip -details -json link show` prints there. Undefined when nothing stands in the way. Fails with `HOST_UNFIT` when
 * something else has one of the two names: it is not ours to delete.
 */
export function findEarlierLink(links: string, tunnel: Tunnel): string | undefined {
  const names = [containerInterface, linkName(tunnel)];
  const standing = parseJsonAs(linksSchema, links).filter(({ ifname }) => names.includes(ifname));
  const stranger = standing.find((link) => !isOf(tunnel, link));
  if (stranger !== undefined) throw strangeLink(stranger, tunnel);
  return standing[0]?.ifname;
}

/** Kind, identifier, port, tunnel end and MAC address: the plan has given all of them to this node of this job. */
function isOf({ vni, port, own }: Tunnel, { address, linkinfo }: Link): boolean {
  const data = linkinfo?.info_data;
  const isSameTunnel = data?.id === vni && data.port === port && data.local === own.hostAddress;
  return linkinfo?.info_kind === 'vxlan' && isSameTunnel && address === own.mac;
}

function strangeLink({ ifname, address, linkinfo }: Link, { vni, own }: Tunnel): JobError {
  const kind = linkinfo?.info_kind ?? 'link of no kind';
  const id = linkinfo?.info_data?.id;
  const found = `${kind}${id === undefined ? '' : ` ${id}`} with address ${address ?? 'none'}`;
  return new JobError({
    code: 'HOST_UNFIT',
    message: `The container has a link ${ifname} that is not this job's: ${found}, not vxlan ${vni} with address ${own.mac}.`,
    hint: 'Another program on this host adds networks to containers; ask the administrators to exclude the containers of jobs.',
  });
}

/** What `error` of `ip link add` means when nothing of ours stands in the container: the host has it. */
export function linkTaken(error: JobError, { vni, port }: Pick<Tunnel, 'vni' | 'port'>): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: error.message,
    hint:
      `The host, or another container on it, has a link ${linkName({ vni })} or a VXLAN link ${vni} on port ${port}. ` +
      '"ip -details link show" names those of the host; network.vxlan in site.yaml moves those of jobs.',
  });
}
