import type { NetworkKind } from '../network-kind.ts';
import { vxlanDriver } from './driver.ts';
import { planned, rule, settings } from './settings.ts';
import type { VxlanSection } from './settings.ts';
import { tryLink } from './try-link.ts';

/** A VXLAN link in each container of a job, for jobs on several hosts. */
export const vxlan = {
  addressesFrom: 'site',
  ...{ settings, rule, planned },
  programs: { ip: 'iproute2', bridge: 'iproute2', nft: 'nftables', nsenter: 'util-linux', unshare: 'util-linux' },
  makes: 'VXLAN links',
  tryHere: tryLink,
  open: vxlanDriver,
} satisfies NetworkKind<VxlanSection>;
