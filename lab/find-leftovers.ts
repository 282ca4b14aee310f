/** The promise that nothing is left behind, looked at from outside: what operators would look at, on every host. */
import { mustRun } from './batch-jobs.ts';
import { execOnHost } from './exec-on-host.ts';
import type { Lab } from './running-lab.ts';

/** Everything of any container job that can be seen on the lab's hosts and in etcd; empty when nothing is left. */
export async function findLeftovers(lab: Lab): Promise<readonly string[]> {
  const perHost = await Promise.all(lab.nodes.map(async ({ name }) => await findOnHost(lab, name)));
  const keys = (await readKeys(lab)).map((key) => `etcd: ${key}`);
  return [...perHost.flat(), ...keys];
}

async function findOnHost(lab: Lab, host: string): Promise<readonly string[]> {
  const look = async (what: string, argv: readonly string[], keep: (line: string) => boolean): Promise<string[]> =>
    (await mustRun(lab, host, argv))
      .split('\n')
      .filter((line) => line !== '' && keep(line))
      .map((line) => `${host}: ${what} ${line}`);
  return (
    await Promise.all([
      look('container', ['docker', 'ps', '--all', '--format', '{{.Names}}'], () => true),
      look(
        'network',
        ['docker', 'network', 'ls', '--format', '{{.Name}}'],
        (name) => !['bridge', 'host', 'none'].includes(name),
      ),
      look('volume', ['docker', 'volume', 'ls', '--quiet'], () => true),
      look('link', ['ip', '-oneline', 'link'], (line) => /vxlan|\bhj|: br-/.test(line)),
      look('filter', ['nft', 'list', 'tables'], (line) => line.includes('hpcdj')),
      look('files', ['find', '/run', '-path', '/run/hpc-dockerjob/*'], () => true),
      look('cgroup', ['find', '/sys/fs/cgroup', '-path', '*job_*/*docker*', '-type', 'd'], () => true),
      look('helper', ['pgrep', '-a', '-f', 'dist/helper.cjs'], () => true).catch(() => []),
    ])
  ).flat();
}

/** Names of all keys in the lab's etcd. */
export async function readKeys(lab: Lab): Promise<readonly string[]> {
  const { stdout } = await execOnHost(lab, 'node1', { argv: etcdctl(lab, 'get', '--prefix', '', '--keys-only') });
  return stdout.split('\n').filter((line) => line !== '');
}

/** etcdctl with a host's certificate, as an operator would call it on a node. */
export function etcdctl(lab: Lab, ...argv: readonly string[]): readonly string[] {
  const tls = '/etc/hpc-submit-dockerjob/tls';
  const endpoints = lab.layout.etcdMembers.map(({ clientUrl }) => clientUrl).join(',');
  return [
    'env',
    'ETCDCTL_API=3',
    'etcdctl',
    '--endpoints',
    endpoints,
    '--cacert',
    `${tls}/ca.pem`,
    '--cert',
    `${tls}/host.pem`,
    '--key',
    `${tls}/host-key.pem`,
    ...argv,
  ];
}
