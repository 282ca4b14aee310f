/** Starts the simulated hosts: each a set of namespaces around an init process, in cgroups of its own. */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { awaitCondition } from './await-condition.ts';
import {
  killProcesses,
  listProcesses,
  makeCgroups,
  makeHostCgroups,
  openHostCgroups,
  removeCgroups,
  toBootArguments,
} from './cgroup-tree.ts';
import type { CgroupHierarchy, HostCgroups } from './cgroup-tree.ts';
import { LabError } from './lab-error.ts';
import { cacheDir, hostPaths, sharedPaths } from './layout.ts';
import type { LabHost, LabLayout } from './layout.ts';
import { inCgroups, run, startDetached } from './run-command.ts';

const bootScript = fileURLToPath(new URL('boot-host.sh', import.meta.url));
const bootTimeoutMs = 15_000;
const switchName = 'switch';

/** A host that runs: its init's process id on the machine and its cgroups are all that is needed to enter it. */
export interface RunningHost extends LabHost {
  readonly initPid: number;
  readonly cgroups: readonly string[];
}

/** The host's init, found by the host's cgroup alone, or undefined when the host does not run. */
export async function findHostInit(
  hierarchies: readonly CgroupHierarchy[],
  cgroupName: string,
  host: string,
): Promise<number | undefined> {
  for (const pid of await listProcesses(hierarchies, `${cgroupName}/${host}`)) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    // Pid 1 one namespace below the machine's; the processes of containers are two below.
    if (/^Name:\ttini$/m.test(status) && /^NSpid:\t\d+\t1$/m.test(status)) return pid;
  }
  return undefined;
}

/** The host, started unless it runs already; `isNew` says which. */
export async function bootHost(
  hierarchies: readonly CgroupHierarchy[],
  layout: LabLayout,
  host: LabHost,
): Promise<RunningHost & { isNew: boolean }> {
  const runningPid = await findHostInit(hierarchies, layout.cgroupName, host.name);
  if (runningPid !== undefined)
    return { ...(await toRunningHost(hierarchies, layout, host, runningPid)), isNew: false };
  // A start that an interrupted `up` left half-way must not meet this one, and cgroup v2 takes no process into a root
  // that has handed its controllers down.
  await killProcesses(hierarchies, `${layout.cgroupName}/${host.name}`);
  await removeCgroups(hierarchies, `${layout.cgroupName}/${host.name}`);
  const cgroups = await makeHostCgroups(hierarchies, layout.cgroupName, host.name);
  const paths = hostPaths(layout, host);
  // A host always starts from the machine's packages and nothing else; only its Docker images outlive it.
  for (const layer of [paths.upper, paths.work, paths.log]) await rm(layer, { recursive: true, force: true });
  for (const directory of [paths.upper, paths.work, paths.root, paths.docker, paths.log])
    await mkdir(directory, { recursive: true });
  const { home, scratch, product } = sharedPaths(layout);
  for (const directory of [home, scratch, product, cacheDir]) await mkdir(directory, { recursive: true });
  await startInit(hierarchies, layout, host, cgroups);
  const initPid = await awaitHostInit(hierarchies, layout, host);
  return { ...(await toRunningHost(hierarchies, layout, host, initPid)), isNew: true };
}

/** A host whose init runs, as it is entered; its cgroups are completed where an interrupted start left them half-made. */
export async function toRunningHost(
  hierarchies: readonly CgroupHierarchy[],
  layout: LabLayout,
  host: LabHost,
  initPid: number,
): Promise<RunningHost> {
  const cgroups = await makeHostCgroups(hierarchies, layout.cgroupName, host.name);
  await openHostCgroups(hierarchies, cgroups);
  return { ...host, initPid, cgroups: cgroups.leaves };
}

async function startInit(
  hierarchies: readonly CgroupHierarchy[],
  layout: LabLayout,
  host: LabHost,
  { roots, leaves }: HostCgroups,
): Promise<void> {
  const { base, log } = hostPaths(layout, host);
  const tmpBytes = Math.floor(totalmem() / 8);
  const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid', '--fork', '--kill-child'];
  const boot = [
    'sh',
    bootScript,
    base,
    host.name,
    layout.stateDir,
    cacheDir,
    String(tmpBytes),
    ...toBootArguments(hierarchies),
  ];
  const start = inCgroups(leaves, ['setsid', '--fork', 'unshare', ...namespaces, ...boot]);
  // The cgroup in which the namespace is made is what the host sees as the root.
  await startDetached(inCgroups(roots, ['unshare', '--cgroup', ...start]), `${log}/boot.log`);
}

async function awaitHostInit(
  hierarchies: readonly CgroupHierarchy[],
  layout: LabLayout,
  host: LabHost,
): Promise<number> {
  const logFile = `${hostPaths(layout, host).log}/boot.log`;
  let pid: number | undefined;
  const wait = { what: `Host ${host.name}`, timeoutMs: bootTimeoutMs, intervalMs: 20, hint: `See ${logFile}.` };
  await awaitCondition(wait, async () => {
    pid = await findHostInit(hierarchies, layout.cgroupName, host.name);
    if (pid !== undefined) return undefined;
    const log = await readFile(logFile, 'utf8').catch(() => '');
    return `its init is missing ${log.trim().split('\n').at(-1) ?? ''}`.trim();
  });
  if (pid === undefined) throw new LabError(`Host ${host.name} did not start.`, `See ${logFile}.`);
  return pid;
}

/** Connects every host to one bridge, in a network namespace of its own; repeat-safe. */
export async function connectHosts(
  hierarchies: readonly CgroupHierarchy[],
  layout: LabLayout,
  hosts: readonly RunningHost[],
): Promise<void> {
  const switchPid = await startSwitch(hierarchies, layout);
  for (const host of hosts) await connectHost(layout, switchPid, host);
}

/** The process that holds the bridge's namespace, with the bridge in it; each half is made where it is missing. */
async function startSwitch(hierarchies: readonly CgroupHierarchy[], layout: LabLayout): Promise<number> {
  const cgroups = await makeCgroups(hierarchies, layout.cgroupName, switchName);
  if ((await findSwitch(hierarchies, layout.cgroupName)) === undefined) {
    const holder = ['setsid', '--fork', 'unshare', '--net', '--', 'sleep', 'infinity'];
    await startDetached(inCgroups(cgroups, holder), '/dev/null');
  }
  let pid: number | undefined;
  await awaitCondition(
    { what: 'The network between the hosts', timeoutMs: bootTimeoutMs, intervalMs: 10 },
    async () => {
      pid = await findSwitch(hierarchies, layout.cgroupName);
      return pid === undefined ? 'its process is missing' : undefined;
    },
  );
  if (pid === undefined) throw new LabError('The network between the hosts did not start.');
  const bridge = bridgeName(layout.shape.name);
  const links = await inNetworkOf(pid, ['ip', '-o', 'link', 'show']);
  if (!links.includes(` ${bridge}: `)) await inNetworkOf(pid, ['ip', 'link', 'add', bridge, 'type', 'bridge']);
  await inNetworkOf(pid, ['ip', 'link', 'set', bridge, 'up']);
  return pid;
}

/** The process whose network namespace holds the bridge between the hosts. */
async function findSwitch(hierarchies: readonly CgroupHierarchy[], cgroupName: string): Promise<number | undefined> {
  for (const pid of await listProcesses(hierarchies, `${cgroupName}/${switchName}`)) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    if (/^Name:\tsleep$/m.test(status)) return pid;
  }
  return undefined;
}

function bridgeName(lab: string): string {
  return `br-${lab}`;
}

function portName(layout: LabLayout, host: LabHost): string {
  return `${layout.shape.name.slice(0, 6)}-${host.name}`;
}

async function connectHost(layout: LabLayout, switchPid: number, host: RunningHost): Promise<void> {
  const addresses = await inNetworkOf(host.initPid, ['ip', '-o', '-4', 'address', 'show']);
  if (addresses.includes(`${host.address}/`)) return;
  const port = portName(layout, host);
  // A half-made pair of an interrupted `up` is of no use: the port name may be there while the host's end is not set up.
  await inNetworkOf(switchPid, ['ip', 'link', 'delete', port]).catch(() => undefined);
  await inNetworkOf(switchPid, [
    'ip',
    'link',
    'add',
    port,
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    String(host.initPid),
  ]);
  await inNetworkOf(switchPid, ['ip', 'link', 'set', port, 'master', bridgeName(layout.shape.name), 'up']);
  await inNetworkOf(host.initPid, ['ip', 'link', 'set', 'eth0', 'up']);
  // The address comes last: it is the sign that the host is connected.
  await inNetworkOf(host.initPid, ['ip', 'address', 'add', `${host.address}/24`, 'dev', 'eth0']);
}

/** Cuts a host off the others (`down`) or connects it again (`up`): how tests stage a network failure. */
export async function setHostLink(
  hierarchies: readonly CgroupHierarchy[],
  layout: LabLayout,
  host: LabHost,
  state: 'up' | 'down',
): Promise<void> {
  const switchPid = await findSwitch(hierarchies, layout.cgroupName);
  if (switchPid === undefined) throw new LabError(`Lab ${layout.shape.name} does not run.`, 'Run `lab up`.');
  await inNetworkOf(switchPid, ['ip', 'link', 'set', portName(layout, host), state]);
}

function inNetworkOf(pid: number, argv: readonly string[]): Promise<string> {
  return run(['nsenter', '--target', String(pid), '--net', '--', ...argv], { cgroups: [] });
}
