import type { NetworkKind } from '../network-kind.ts';
import { runApart } from '../run-apart.ts';
import { soloDriver } from './driver.ts';
import { describeLink } from './link.ts';

const tried = { ip: '192.0.2.1', mac: '02:00:c0:00:02:01', prefixLength: 24 };

/** A link that leads nowhere, for jobs on one host. */
export const solo = {
  addressesFrom: 'job',
  summary: 'a link of its own that leads nowhere else',
  settings: {},
  planned: {},
  programs: { ip: 'iproute2', nsenter: 'util-linux', unshare: 'util-linux' },
  makes: 'pairs of links',
  tryHere: (commands) => runApart(commands, 'ip', ['-batch', '-'], describeLink(tried)),
  open: (_, commands) => soloDriver(commands),
} satisfies NetworkKind;
