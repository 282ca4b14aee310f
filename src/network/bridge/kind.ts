import type { NetworkKind } from '../network-kind.ts';
import { runApart } from '../run-apart.ts';
import { bridgeDriver } from './driver.ts';
import { isBridgeDevice, joinBridge, triedDevice } from './own-network.ts';

/** A Docker bridge that reaches nothing but itself, for jobs on one host. */
export const bridge = {
  addressesFrom: 'host',
  summary: 'a Docker bridge of its own',
  settings: {},
  planned: {},
  programs: { ip: 'iproute2', nft: 'nftables', unshare: 'util-linux', sysctl: 'procps' },
  join: joinBridge,
  isOwnDevice: isBridgeDevice,
  makes: 'bridges',
  tryHere: (commands) => runApart(commands, 'ip', ['-batch', '-'], `link add name ${triedDevice} type bridge\n`),
  open: bridgeDriver,
} satisfies NetworkKind;
