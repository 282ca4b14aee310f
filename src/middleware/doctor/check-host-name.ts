import { lookup } from 'node:dns/promises';
import { hostname, networkInterfaces } from 'node:os';
import { JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';

/** What the name service and the kernel say of this host. */
export interface HostNames {
  readonly name: string;
  readonly ownAddresses: readonly string[];
  /** IPv4 address of a name; fails when it has none. */
  resolve(name: string): Promise<string>;
}

/** The name of this host leads to an address of its own that others can reach. */
export function checkHostName(names: HostNames = thisHost()): Check {
  return {
    name: 'host-name',
    look: async () => {
      const address = await names.resolve(names.name).catch(() => {
        throw wrong(`${names.name} has no IPv4 address here`, 'Put it into DNS or /etc/hosts.');
      });
      if (address.startsWith('127.'))
        throw wrong(`${names.name} leads to ${address}`, `Remove the line ${address} ${names.name} from /etc/hosts.`);
      if (!names.ownAddresses.includes(address))
        throw wrong(
          `${names.name} leads to ${address}, which is no address of this host`,
          'Correct DNS or /etc/hosts.',
        );
      return fine(`${names.name} is ${address}`);
    },
  };
}

function thisHost(): HostNames {
  const entries = Object.values(networkInterfaces()).flatMap((own) => own ?? []);
  return {
    name: hostname(),
    ownAddresses: entries.map(({ address }) => address),
    resolve: async (name) => (await lookup(name, { family: 4 })).address,
  };
}

function wrong(fault: string, hint: string): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: `Other hosts cannot use the name of this host: ${fault}.`,
    hint,
  });
}
