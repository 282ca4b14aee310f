/** The promise that nothing is left behind, looked at from outside: what operators would look at, on every host. */
import { readdir } from 'node:fs/promises';
import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import { inputDirectory } from '../src/contract/job-input.ts';
import { mustRun } from './batch-jobs.ts';
import { pathInHost } from './enter-host.ts';
import { patient } from './patience.ts';
import { hostOf } from './running-lab.ts';
import type { Lab } from './running-lab.ts';

/** Everything of any container job that can be seen on the lab's hosts and in etcd; empty when nothing is left. */
export async function findLeftovers(lab: Lab): Promise<readonly string[]> {
  const perHost = await Promise.all(lab.nodes.map(async ({ name }) => await findOnHost(lab, name)));
  const keys = (await readKeys(lab)).map((key) => `etcd: ${key}`);
  return [...perHost.flat(), ...keys];
}

const dockerTimeoutMs = 30_000;

/** One shell for all that needs the host's own view, since tests look often. A line for each thing, its kind first. */
const script = `
set -euo pipefail
ip -oneline link | sed 's/^/link /'
nft list tables | sed 's/^/filter /'
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  # All that is not the host's own, its Docker Engine's or its idle slurmd's.
  find /sys/fs/cgroup -mindepth 1 -type d ! -regex '/sys/fs/cgroup/\\(init\\.scope\\|system\\.slice\\(/[a-z0-9_]*slurmstepd\\.scope\\(/slurmd\\|/system\\)?\\)?\\|docker\\(/buildkit\\)?\\)' \\
    -printf 'cgroup %p\\n' || [ $? = 1 ] # one may go meanwhile
else
# Slurm's own are left by a slurmstepd that a test has killed; containers' are nobody's but ours, wherever they are.
find /sys/fs/cgroup \\( -path '*/job_*' ! -regex '/sys/fs/cgroup/\\(freezer\\|memory\\|cpuset\\|cpuacct\\)/.*' -o -path '*job_*/*docker*' -o -regex '.*/job_[0-9]*/[0-9a-f]*' \\) \\
  -type d -printf 'cgroup %p\\n' || [ $? = 1 ] # one may go meanwhile
fi
{ pgrep -a -f dist/helper.cjs || [ $? = 1 ]; } | sed 's/^/helper /'`;

/** Links and tables of the host itself are no leftovers. */
function isOfJobs(line: string): boolean {
  if (line.startsWith('link ')) return /vxlan|\bhj|: br-/.test(line);
  return !line.startsWith('filter ') || line.includes('hpcdj');
}

async function findOnHost(lab: Lab, host: string): Promise<readonly string[]> {
  const [containers, networks, volumes, files, inputs, others] = await Promise.all([
    askDocker(lab, host, '/containers/json?all=1') as Promise<readonly { readonly Names: readonly string[] }[]>,
    askDocker(lab, host, '/networks') as Promise<readonly { readonly Name: string }[]>,
    askDocker(lab, host, '/volumes') as Promise<{ readonly Volumes: readonly { readonly Name: string }[] | null }>,
    readdir(pathInHost(hostOf(lab, host), '/run/hpc-dockerjob'), { recursive: true }).catch(noneIfMissing),
    readdir(pathInHost(hostOf(lab, host), inputDirectory)).catch(noneIfMissing),
    // As its input: pgrep would find the script in the shell's arguments.
    mustRun(lab, host, ['bash', '-s'], script),
  ]);
  return [
    ...containers.map(({ Names }) => `container ${Names.join(' ')}`),
    ...networks.filter(({ Name }) => !['bridge', 'host', 'none'].includes(Name)).map(({ Name }) => `network ${Name}`),
    ...(volumes.Volumes ?? []).map(({ Name }) => `volume ${Name}`),
    ...files.map((file) => `files /run/hpc-dockerjob/${file}`),
    ...inputs.map((file) => `files ${inputDirectory}/${file}`),
    ...others.split('\n').filter((line) => line !== '' && isOfJobs(line)),
  ].map((line) => `${host}: ${line}`);
}

function noneIfMissing(error: unknown): string[] {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
  throw error;
}

/** As `docker ps`, `docker network ls` and `docker volume ls` ask. */
async function askDocker(lab: Lab, host: string, path: string): Promise<unknown> {
  return await new Promise((resolve, reject) => {
    const socketPath = pathInHost(hostOf(lab, host), '/run/docker.sock');
    const question = request({ socketPath, path, timeout: patient(dockerTimeoutMs) }, (response) => {
      if (response.statusCode === 200) json(response).then(resolve, reject);
      else reject(new Error(`The Docker Engine of ${host} answers ${path} with ${response.statusCode}.`));
    });
    question.on('timeout', () => question.destroy(new Error(`The Docker Engine of ${host} does not answer.`)));
    question.on('error', reject);
    question.end();
  });
}

/** Names of all keys in the lab's etcd. */
export async function readKeys(lab: Lab): Promise<readonly string[]> {
  const names = await mustRun(lab, 'node1', etcdctl(lab, 'get', '--prefix', '', '--keys-only'));
  return names.split('\n').filter((line) => line !== '');
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
