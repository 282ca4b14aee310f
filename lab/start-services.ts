/** The daemons of the hosts: munge, etcd, Docker and Slurm. What runs already is left alone, what died is started again. */
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { basename } from 'node:path';
import { awaitCondition } from './await-condition.ts';
import type { RunningHost } from './boot-hosts.ts';
import { listProcesses } from './cgroup-tree.ts';
import type { CgroupHierarchy } from './cgroup-tree.ts';
import { pathInHost, runOnHost, startDaemon } from './enter-host.ts';
import { LabError } from './lab-error.ts';
import type { EtcdMember, LabLayout } from './layout.ts';
import { lsfServicesOf } from './lsf/lsf-files.ts';
import { pathExists } from './path-exists.ts';
import { patient } from './patience.ts';
import { tlsDir } from './write-host-files.ts';

const readyTimeoutMs = 60_000;
const pingTimeoutMs = 2_000;

/** One daemon of a host. */
export interface Service {
  readonly name: string;
  readonly argv: readonly string[];
  readonly user?: string;
  /** The argument that tells it from others of the same program on the host. */
  readonly mark?: string;
}

const munged: Service = { name: 'munged', argv: ['/usr/sbin/munged', '--foreground'], user: 'munge' };
const slurmctld: Service = { name: 'slurmctld', argv: ['/usr/sbin/slurmctld', '-D'] };
const slurmd: Service = { name: 'slurmd', argv: ['/usr/sbin/slurmd', '-D'] };
const dockerd: Service = { name: 'dockerd', argv: ['/usr/sbin/dockerd', '--pidfile=/run/docker.pid'] };

const sgeQmaster: Service = { name: 'sge_qmaster', argv: ['/usr/sbin/sge_qmaster'] };
const sgeExecd: Service = { name: 'sge_execd', argv: ['/usr/sbin/sge_execd'] };

/** The daemons that a host has to run. */
export function servicesOf(layout: LabLayout, host: { readonly name: string }): readonly Service[] {
  const isHead = host.name === layout.head.name;
  const { lsf: kind, lsfDirectory } = layout.shape;
  const lsf = kind === undefined ? [] : lsfServicesOf(isHead ? 'daemon' : 'agent', lsfDirectory !== undefined);
  const gridEngine = layout.shape.gridEngine === true ? [isHead ? sgeQmaster : sgeExecd] : [];
  const etcd = layout.etcdMembers.map((member) => etcdService(layout, member));
  if (isHead) return [munged, ...etcd, slurmctld, ...lsf, ...gridEngine];
  return [munged, dockerd, slurmd, ...lsf, ...gridEngine];
}

/** An etcd member that accepts only clients and peers with a certificate of the lab's authority. */
function etcdService(layout: LabLayout, member: EtcdMember): Service {
  const cluster = layout.etcdMembers.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',');
  const tls = [
    `--cert-file=${tlsDir}/host.pem`,
    `--key-file=${tlsDir}/host-key.pem`,
    `--trusted-ca-file=${tlsDir}/ca.pem`,
  ];
  const mark = `--name=${member.name}`;
  const argv = [
    ...['/usr/bin/etcd', mark, `--data-dir=/var/lib/etcd/${member.name}`],
    ...[`--listen-client-urls=${member.listenUrl}`, `--advertise-client-urls=${member.clientUrl}`],
    ...[`--listen-peer-urls=${member.peerUrl}`, `--initial-advertise-peer-urls=${member.peerUrl}`],
    ...[`--initial-cluster=${cluster}`, '--initial-cluster-state=new', `--initial-cluster-token=${layout.shape.name}`],
    ...['--client-cert-auth', ...tls],
    ...['--peer-client-cert-auth', ...tls.map((option) => option.replace('--', '--peer-'))],
    // As the admin guide has it.
    ...['--auto-compaction-mode=periodic', '--auto-compaction-retention=5m'],
    ...['--quota-backend-bytes=2147483648', '--logger=zap', '--log-outputs=stderr'],
  ];
  return { name: member.name, argv, mark };
}

/** Starts the daemons of a host that do not run; returns their names. */
export async function startMissingServices(
  hierarchies: readonly CgroupHierarchy[],
  layout: LabLayout,
  host: RunningHost,
): Promise<string[]> {
  const started: string[] = [];
  for (const service of await findStoppedServices(hierarchies, layout, host)) {
    await startDaemon(layout, host, service.name, service.argv, service.user);
    started.push(service.name);
    // The others talk through munge from their first moment on.
    if (service === munged) await awaitMunge(host);
  }
  return started;
}

/** The services of a host of which no process is there. */
export async function findStoppedServices(
  hierarchies: readonly CgroupHierarchy[],
  layout: LabLayout,
  host: RunningHost,
): Promise<Service[]> {
  const daemons = await listDaemons(hierarchies, layout, host);
  return servicesOf(layout, host).filter((service) => !daemons.some((daemon) => isProcessOf(service, daemon)));
}

/** Stops one service of a host as an administrator would, and waits for its end. */
export async function stopService(
  hierarchies: readonly CgroupHierarchy[],
  layout: LabLayout,
  host: RunningHost,
  name: string,
): Promise<void> {
  const service = servicesOf(layout, host).find((candidate) => candidate.name === name);
  if (service === undefined) throw new LabError(`Host ${host.name} has no service ${name}.`);
  const findProcesses = async (): Promise<Daemon[]> =>
    (await listDaemons(hierarchies, layout, host)).filter((daemon) => isProcessOf(service, daemon));
  for (const { pid } of await findProcesses()) process.kill(pid, 'SIGTERM');
  await awaitCondition(
    { what: `The end of ${name} on ${host.name}`, timeoutMs: readyTimeoutMs, intervalMs: 50 },
    async () => ((await findProcesses()).length === 0 ? undefined : 'it still runs'),
  );
}

interface Daemon {
  readonly pid: number;
  readonly argv: readonly string[];
}

function isProcessOf(service: Service, daemon: Daemon): boolean {
  const [program = ''] = service.argv;
  const isSameProgram = basename(daemon.argv[0] ?? '') === basename(program);
  return isSameProgram && (service.mark === undefined || daemon.argv.includes(service.mark));
}

/** The processes whose parent is the host's init: its daemons. */
async function listDaemons(
  hierarchies: readonly CgroupHierarchy[],
  layout: LabLayout,
  host: RunningHost,
): Promise<Daemon[]> {
  const daemons: Daemon[] = [];
  for (const pid of await listProcesses(hierarchies, `${layout.cgroupName}/${host.name}`)) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    if (!status.includes(`\nPPid:\t${host.initPid}\n`)) continue;
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    daemons.push({ pid, argv: commandLine.split('\0') });
  }
  return daemons;
}

function awaitMunge(host: RunningHost): Promise<void> {
  return awaitCondition({ what: `munged on ${host.name}`, timeoutMs: readyTimeoutMs, intervalMs: 30 }, async () =>
    (await pathExists(pathInHost(host, '/run/munge/munge.socket.2'))) ? undefined : 'its socket is missing',
  );
}

/**
 * Waits until the host's Docker Engine answers. One that has given up is started again where the hierarchies are given:
 * on a slow machine its containerd needs longer than the 15 s that it waits for it.
 */
export async function awaitDocker(
  layout: LabLayout,
  host: RunningHost,
  hierarchies?: readonly CgroupHierarchy[],
): Promise<void> {
  const hint = `See ${layout.stateDir}/hosts/${host.name}/log/dockerd.log.`;
  await awaitCondition({ what: `dockerd on ${host.name}`, timeoutMs: readyTimeoutMs, hint }, async () => {
    const fault = await pingDocker(host);
    if (fault !== undefined && hierarchies !== undefined) {
      const stopped = await findStoppedServices(hierarchies, layout, host);
      if (stopped.includes(dockerd)) await startDaemon(layout, host, dockerd.name, dockerd.argv);
    }
    return fault;
  });
}

/** Removes what an earlier life of the host left in its Docker root, all but the images. */
export async function removeOldContainers(host: RunningHost): Promise<void> {
  await runOnHost(host, ['docker', 'system', 'prune', '--force', '--volumes']);
}

/** Undefined when the host's Docker Engine answers, else why not. */
export function pingDocker(host: RunningHost): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socketPath = pathInHost(host, '/run/docker.sock');
    const ping = request({ socketPath, path: '/_ping', timeout: patient(pingTimeoutMs) }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? undefined : `it answers ${response.statusCode}`);
    });
    ping.on('timeout', () => ping.destroy(new Error('no answer')));
    ping.on('error', (error) => resolve(error.message));
    ping.end();
  });
}

/** Waits until all members of etcd serve requests. */
export async function awaitEtcd(layout: LabLayout, head: RunningHost): Promise<void> {
  const endpoints = layout.etcdMembers.map(({ clientUrl }) => clientUrl).join(',');
  const tls = [`--cacert=${tlsDir}/ca.pem`, `--cert=${tlsDir}/host.pem`, `--key=${tlsDir}/host-key.pem`];
  const health = [
    'etcdctl',
    `--endpoints=${endpoints}`,
    ...tls,
    `--command-timeout=${patient(2)}s`,
    'endpoint',
    'health',
  ];
  const hint = `See ${layout.stateDir}/hosts/${head.name}/log/etcd*.log.`;
  await awaitCondition({ what: 'etcd', timeoutMs: readyTimeoutMs, hint }, () =>
    runOnHost(head, health, { env: { ETCDCTL_API: '3' }, timeoutMs: 10_000 }).then(() => undefined, firstLine),
  );
}

/** Waits until Slurm would start a job on every node; nodes that it had given up are taken back. */
export async function awaitSlurm(layout: LabLayout, head: RunningHost): Promise<void> {
  const hint = `See ${layout.stateDir}/hosts/*/log/slurm*.log.`;
  await awaitCondition({ what: 'Slurm', timeoutMs: readyTimeoutMs, intervalMs: 200, hint }, async () => {
    const states = await readNodeStates(head).catch((error: unknown) => firstLine(error));
    if (typeof states === 'string') return states;
    const unfit = [...states].filter(([, state]) => !/^(idle|mixed|allocated|completing)$/.test(state));
    for (const [name, state] of unfit) {
      const isGivenUp = /^(down|drained|draining)\*?$/.test(state);
      if (isGivenUp)
        await runOnHost(head, ['scontrol', 'update', `NodeName=${name}`, 'State=RESUME']).catch(() => undefined);
    }
    if (states.size < layout.nodes.length) return 'nodes are missing';
    return unfit.length === 0 ? undefined : unfit.map(([name, state]) => `${name} is ${state}`).join(', ');
  });
}

/** Slurm's view of its nodes. */
export async function readNodeStates(head: RunningHost): Promise<Map<string, string>> {
  const table = await runOnHost(head, ['sinfo', '--noheader', '--Node', '--format=%N %T'], { timeoutMs: 15_000 });
  return new Map(
    table
      .split('\n')
      .filter(Boolean)
      .map((line) => line.trim().split(/\s+/) as [string, string]),
  );
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
