/** A private registry on the lab's head: TLS by the lab's authority, one account, gone with the lab. Started only where it is asked for. */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { awaitCondition } from './await-condition.ts';
import { ensurePackages } from './check-machine.ts';
import { runOnHost, startDaemon } from './enter-host.ts';
import { hostPaths, sharedPaths } from './layout.ts';
import type { RunningHost } from './boot-hosts.ts';
import { run } from './run-command.ts';
import type { Lab } from './running-lab.ts';
import { tlsDir, writeHostFile } from './write-host-files.ts';

/** With a file that shows its presence. */
export const registryPackage = ['docker-registry', '/usr/bin/docker-registry'] as const;
const directory = '/etc/hpc-dockerjob-registry';
const user = 'site';
const readyTimeoutMs = 30_000;
const pushTimeoutMs = 120_000;

/** As images are named in it. */
export const labRegistry = 'head:5000';

/** What a node's site.yaml says of it, under `images.registries`. */
export const labRegistryEntry = {
  host: labRegistry,
  caFile: `${tlsDir}/ca.pem`,
  credentialsFile: '/etc/hpc-submit-dockerjob/registry/config.json',
} as const;

/** Starts the registry unless it runs, and gives every node the site's credentials; returns the password. */
export async function provideRegistry(lab: Lab, mayInstall = true): Promise<string> {
  await ensurePackages(mayInstall, lab.controlCgroups, [registryPackage]);
  const password = await readPassword(lab);
  const auth = Buffer.from(`${user}:${password}`).toString('base64');
  const login = JSON.stringify({ auths: { [labRegistry]: { auth } } });
  for (const node of lab.nodes) await writeHostFile(node, labRegistryEntry.credentialsFile, login, { mode: 0o600 });
  if (await isListening(lab.head)) return password;
  await writeHostFile(lab.head, `${directory}/htpasswd`, `${user}:${await hashPassword(password)}\n`, { mode: 0o600 });
  await writeHostFile(lab.head, `${directory}/config.yml`, JSON.stringify(registryConfig(lab)), { mode: 0o600 });
  await startDaemon(lab.layout, lab.head, 'registry', [registryPackage[1], 'serve', `${directory}/config.yml`]);
  await awaitCondition(
    { what: 'The registry', timeoutMs: readyTimeoutMs, hint: `See ${registryLog(lab)}.` },
    async () => ((await isListening(lab.head)) ? undefined : 'it does not listen'),
  );
  return password;
}

/** Where the registry notes every request. */
export function registryLog(lab: Lab): string {
  return `${hostPaths(lab.layout, lab.head).log}/registry.log`;
}

/** Pushes a local image of a node under this name; nothing of that is left on the node but the tag, if it had it. */
export async function pushImage(node: RunningHost, image: string, name: string): Promise<void> {
  const trust = `/etc/docker/certs.d/${labRegistry}/lab-push.crt`;
  const config = labRegistryEntry.credentialsFile.replace(/\/[^/]*$/, '');
  const script = `set -e
mkdir -p "$(dirname "$4")"; cp "${tlsDir}/ca.pem" "$4"
trap 'docker image rm "$2" >/dev/null 2>&1 || :; rm -f "$4"' EXIT
docker tag "$1" "$2"
docker --config "$3" push --quiet "$2"`;
  await runOnHost(node, ['bash', '-c', script, 'push', image, name, config, trust], { timeoutMs: pushTimeoutMs });
}

function registryConfig({ head }: Lab): object {
  return {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: false } },
    storage: { filesystem: { rootdirectory: '/var/lib/hpc-dockerjob-registry' } },
    http: {
      addr: `${head.address}:5000`,
      tls: { certificate: `${tlsDir}/host.pem`, key: `${tlsDir}/host-key.pem` },
    },
    auth: { htpasswd: { realm: 'lab', path: `${directory}/htpasswd` } },
  };
}

async function isListening(head: RunningHost): Promise<boolean> {
  const [host, port] = labRegistry.split(':');
  return await runOnHost(head, ['bash', '-c', `exec 3<>/dev/tcp/${host}/${port}`]).then(
    () => true,
    () => false,
  );
}

async function readPassword(lab: Lab): Promise<string> {
  const file = `${sharedPaths(lab.layout).secrets}/registry-password`;
  const known = await readFile(file, 'utf8').catch(() => '');
  if (known !== '') return known;
  const password = randomBytes(18).toString('hex');
  await writeFile(file, password, { mode: 0o600 });
  return password;
}

/** As htpasswd would, by the C library: bcrypt is the only form that the registry takes. */
async function hashPassword(password: string): Promise<string> {
  const salt = `$2y$05$${randomBytes(16).toString('hex').slice(0, 21)}u`;
  const hash = await run(['perl', '-e', 'chomp(my ($p, $s) = <STDIN>); print crypt($p, $s)'], {
    cgroups: [],
    input: `${password}\n${salt}\n`,
  });
  return hash.trim();
}
