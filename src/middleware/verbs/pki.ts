import { homedir } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { exitStatus } from '../../values/errors.ts';
import type { Verb } from './verb.ts';

interface PkiOptions {
  readonly directory: string;
  readonly days: number;
}

const place = ({ directory }: Pick<PkiOptions, 'directory'>): { readonly path: string } => ({
  path: resolve(directory),
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

function addDirectory(verb: Command): Command {
  return verb.option('--directory <directory>', 'where the authority is kept', `${homedir()}/hpc-dockerjob-pki`);
}

function addDays(verb: Command, usual: number): Command {
  return verb.option('--days <n>', 'days for which it is valid', toDays, usual);
}

function toDays(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new InvalidArgumentError('A number of days from 1 is expected.');
  return Number(text);
}

const hostDays = 825;
const soonDays = 60;

const init: Verb = {
  name: 'pki init',
  description: 'make an authority for the certificates of etcd and of the hosts',
  define: (verb) =>
    void addDays(addDirectory(verb), 3650).option(
      '--name <text>',
      'what the authority is called',
      'hpc-submit-dockerjob',
    ),
  run: async ({ called }) => {
    const { initAuthority } = await import('../../pki/keep-certificates.ts');
    const options = called.opts<PkiOptions & { readonly name: string }>();
    const made = await initAuthority(place(options), options.name, options.days);
    say(
      `${made}: made. Keep this directory away from the cluster: anyone holding its ca-key.pem can impersonate every host.`,
    );
    return 0;
  },
};

const issue: Verb = {
  name: 'pki issue',
  description:
    "issue a host's first certificate: the three files that its directory /etc/hpc-submit-dockerjob/tls needs",
  define: (verb) =>
    void addDays(addDirectory(verb), hostDays)
      .argument('<host>', 'its name, as others call it')
      .option('--server', 'for a member of etcd, which others connect to')
      .option('--address <ip>', 'an address by which others connect to it; may be repeated', collect, [])
      .option('--dns <name>', 'another name by which others connect to it; may be repeated', collect, []),
  run: async ({ called }) => {
    const { issueForHost } = await import('../../pki/keep-certificates.ts');
    interface IssueOptions extends PkiOptions {
      readonly server?: boolean;
      readonly address: readonly string[];
      readonly dns: readonly string[];
    }
    const options = called.opts<IssueOptions>();
    const made = await issueForHost(place(options), {
      host: called.args[0] ?? '',
      role: options.server === true ? 'server' : 'host',
      dnsNames: options.dns,
      addresses: options.address,
      validDays: options.days,
    });
    say(`${made}: ca.pem, host.pem, host-key.pem for /etc/hpc-submit-dockerjob/tls of that host, owned by root`);
    return 0;
  },
};

const renew: Verb = {
  name: 'pki renew',
  description: 'issue new certificates and keys for hosts whose old ones expire soon, or that are named',
  define: (verb) =>
    void addDays(addDirectory(verb), hostDays)
      .argument('[host...]')
      .option('--within <days>', 'without names: those that expire within so many days', toDays, soonDays),
  run: async ({ called }) => {
    const { renewCertificates } = await import('../../pki/keep-certificates.ts');
    const options = called.opts<PkiOptions & { readonly within: number }>();
    const renewed = await renewCertificates(place(options), {
      hosts: called.args,
      withinDays: options.within,
      validDays: options.days,
    });
    for (const each of renewed) say(`${each.place}: renewed; the old files are in ${each.host}.previous`);
    if (renewed.length === 0) say(`nothing expires within ${options.within} days`);
    return 0;
  },
};

const check: Verb = {
  name: 'pki check',
  description: 'show every certificate with its expiry, and all that is wrong with it; status 78 when anything is',
  define: (verb) =>
    void addDirectory(verb)
      .option('--within <days>', 'count as wrong what expires within so many days', toDays, 30)
      .option('--json', 'write it as one JSON object'),
  run: async ({ called }) => {
    const { checkCertificates } = await import('../../pki/keep-certificates.ts');
    const options = called.opts<PkiOptions & { readonly within: number; readonly json?: boolean }>();
    const states = await checkCertificates(place(options));
    const isSoon = (daysLeft: number | undefined): boolean =>
      daysLeft !== undefined && daysLeft >= 0 && daysLeft < options.within;
    if (options.json === true) say(JSON.stringify({ certificates: states }));
    else
      for (const { name, role, names, expiresAt, daysLeft, faults } of states) {
        const until = expiresAt === undefined ? '' : `until ${expiresAt.slice(0, 10)} (${daysLeft ?? '?'} days)`;
        const soon = isSoon(daysLeft) ? ['expires soon: hpc-submit-dockerjob pki renew'] : [];
        const verdict = faults.length + soon.length === 0 ? 'ok' : [...faults, ...soon].join('; ');
        say([name.padEnd(20), role.padEnd(10), until.padEnd(30), names.join(' '), `[${verdict}]`].join('  '));
      }
    const isFine = states.every(({ faults, daysLeft }) => faults.length === 0 && !isSoon(daysLeft));
    return isFine ? 0 : exitStatus.badConfig;
  },
};

/** Certificates for mutual TLS with etcd. */
export const pkiVerbs: readonly Verb[] = [init, issue, renew, check];
