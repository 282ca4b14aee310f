import { chmod, mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { isLeftBeside } from '../../local-store/claim-socket-path.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { nodeRunDirectory, runDirectory } from '../../contract/own-objects.ts';
import { commandNode, nodeHostname, parseJobKey, shortHostname } from '../../contract/job-key.ts';
import type { JobPlan, PlannedNode } from '../../contract/job-plan.ts';
import { describeRunMounts, runFiles } from '../../policy/describe-run-mounts.ts';
import type { Mount } from '../../ports/container-engine.ts';
import { findMarked, parseHelperMark } from './helper-marks.ts';
import { removeJobInput } from './job-input.ts';

/** `/run/hpc-dockerjob/<job>`: closed to everybody but root; containers get single files and directories out of it. */
export function jobRunDirectory(job: JobKey): string {
  return `${runDirectory}/${job}`;
}

/** Socket by which the programs of a one-host job share their store. */
export function localStoreSocket(job: JobKey): string {
  return `${jobRunDirectory(job)}/store.sock`;
}

/** Files of the node that runs the command, which is on the keeper's own host. */
export function masterRunDirectory(job: JobKey): string {
  return `${jobRunDirectory(job)}/${shortHostname(commandNode)}`;
}

/** Holds the scheduler's id of the job, by which an epilog asks for it; an array element's key does not tell it. */
const schedulerJobFile = 'scheduler-job';

/**
 * Makes the job's run directory; mode 0700 keeps every other user of the host away from the sockets in it. To be called
 * before anything else of the job is made on this host: the directory is the trace by which the rest is found.
 */
export async function createJobRunDirectory(job: JobKey, schedulerJobId: string): Promise<void> {
  await mkdir(jobRunDirectory(job), { recursive: true, mode: 0o700 });
  await chmod(runDirectory, 0o700);
  await writeFile(`${jobRunDirectory(job)}/${schedulerJobFile}`, schedulerJobId, { mode: 0o600 });
}

/** Paths of one node's runtime files on its host. */
export interface NodeRunDirectory {
  readonly path: string;
  readonly agentSocket: string;
  readonly mounts: readonly Mount[];
}

/** Writes the files that a node's container gets: passwd, group, hosts, and the directory of the agent's socket. */
export async function createNodeRunDirectory(plan: JobPlan, node: PlannedNode): Promise<NodeRunDirectory> {
  await createJobRunDirectory(plan.job, plan.schedulerJobId);
  const path = nodeRunDirectory(plan.job, node.index);
  await rm(path, { recursive: true, force: true });
  await mkdir(`${path}/helper`, { recursive: true, mode: 0o755 });
  const texts = { passwd: passwdText(plan), group: groupText(plan), hosts: hostsText(plan) };
  for (const name of runFiles) await writeFile(`${path}/${name}`, texts[name], { mode: 0o644 });
  return { path, agentSocket: `${path}/helper/agent.sock`, mounts: describeRunMounts(path) };
}

const keeperPrefix = 'keeper-';

/** Notes that the keeper of a job on several hosts is this process: a trace of what it has in the store. Undone by disposing. */
export async function markKeptHere(job: JobKey): Promise<AsyncDisposable> {
  const file = `${jobRunDirectory(job)}/${keeperPrefix}${process.pid}`;
  await writeFile(file, '', { mode: 0o600 });
  return { [Symbol.asyncDispose]: async () => await rm(file, { force: true }) };
}

/** True while a keeper of the job works here, and when it has died before its work was done. */
export async function isKeptHere(job: JobKey): Promise<boolean> {
  return (await listDirectory(jobRunDirectory(job))).some((name) => name.startsWith(keeperPrefix));
}

/** What keepers had to do has been done for them. */
export async function unmarkKeptHere(job: JobKey): Promise<void> {
  const path = jobRunDirectory(job);
  const marks = (await listDirectory(path)).filter((name) => name.startsWith(keeperPrefix));
  for (const name of marks) await rm(`${path}/${name}`, { force: true });
}

/** Takes away the marks of keepers that have died, which another run of the job has replaced. */
export async function unmarkDeadKeepers(job: JobKey): Promise<void> {
  const path = jobRunDirectory(job);
  for (const name of (await listDirectory(path)).filter((each) => each.startsWith(keeperPrefix))) {
    const isAlive = (await listDirectory(`/proc/${name.slice(keeperPrefix.length)}`)).length > 0;
    if (!isAlive) await rm(`${path}/${name}`, { force: true });
  }
}

/** What stands in a file of this name of every node of the job on this host; those that have none are left out. */
export async function readNodeFiles(job: JobKey, name: string): Promise<readonly string[]> {
  const path = jobRunDirectory(job);
  const nodes = (await listDirectory(path)).filter(isNodeDirectory);
  const texts = await Promise.all(
    nodes.map(async (node) => await readFile(`${path}/${node}/${name}`, 'utf8').catch(() => '')),
  );
  return texts.filter((text) => text !== '');
}

function isNodeDirectory(name: string): boolean {
  return /^node-\d+$/.test(name);
}

/** Removes the files of one node, or of every node of the job on this host. The directory itself stays as the trace. */
export async function removeNodeFiles(job: JobKey, index?: number): Promise<void> {
  const path = jobRunDirectory(job);
  const names = index === undefined ? await listDirectory(path) : [`node-${index}`];
  for (const name of names.filter(isNodeDirectory)) await rm(`${path}/${name}`, { recursive: true, force: true });
  if (index === undefined || index === commandNode) await removeJobInput(job);
}

/** Removes the job's directory with all that is in it. */
export async function removeRunDirectory(job: JobKey): Promise<void> {
  await removeJobInput(job);
  await rm(jobRunDirectory(job), { recursive: true, force: true });
}

/**
 * Removes the job's directory if nothing is left in it but the trace: no node, no keeper, no store that somebody serves,
 * no helper that may still hold a container.
 */
export async function forgetJobHere(job: JobKey): Promise<void> {
  const path = jobRunDirectory(job);
  const names = await listDirectory(path);
  const isTrace = async (name: string): Promise<boolean> => {
    const mark = parseHelperMark(name);
    if (mark !== undefined) return (await findMarked(job, mark)) === undefined;
    return name === schedulerJobFile || isLeftBeside(localStoreSocket(job), `${path}/${name}`);
  };
  if ((await Promise.all(names.map(isTrace))).includes(false)) return;
  for (const name of names) await rm(`${path}/${name}`, { force: true });
  await rmdir(path).catch(() => undefined); // somebody has begun anew
}

/** Jobs that have a run directory on this host, with the scheduler's id where it is known. */
export async function listRunDirectories(): Promise<ReadonlyMap<JobKey, string | undefined>> {
  const jobs = new Map<JobKey, string | undefined>();
  for (const name of await listDirectory(runDirectory)) {
    const job = parseJobKey(name);
    if (job === undefined) continue;
    const id = await readFile(`${runDirectory}/${name}/${schedulerJobFile}`, 'utf8').catch(() => '');
    jobs.set(job, id === '' ? undefined : id);
  }
  return jobs;
}

async function listDirectory(path: string): Promise<readonly string[]> {
  return await readdir(path).catch(() => []);
}

/** A colon or a line break would forge an entry; the schema of the host's database excludes both, this makes it certain. */
const clean = (text: string): string => text.replaceAll(/[:\n\r]/g, '_');

/** /etc/passwd of the plan's containers. */
export function passwdText(plan: JobPlan): string {
  const { name, uid, gid, home } = plan.user;
  return [
    'root:x:0:0:root:/root:/bin/sh',
    `${clean(name)}:x:${uid}:${gid}:${clean(name)}:${clean(home)}:/bin/sh`,
    'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
    '',
  ].join('\n');
}

/** /etc/group of the plan's containers. */
export function groupText(plan: JobPlan): string {
  const { name, groups } = plan.user;
  const own = groups
    .filter(({ gid }) => gid !== 0)
    .map((group) => `${clean(group.name)}:x:${group.gid}:${clean(name)}`);
  return ['root:x:0:', ...own, ''].join('\n');
}

/** Every node of the job by its names; the addresses are fixed before any container starts. */
function hostsText(plan: JobPlan): string {
  const names = namesOfNodes(plan);
  const nodes = plan.nodes.map(({ ip }, at) => [ip, ...(names[at] ?? [])].join('\t'));
  return ['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost', ...nodes, ''].join('\n');
}

/**
 * The names of each node: its own, the short form, and those of the host under it, which users have from the scheduler. A
 * name that several would have is none of theirs.
 */
export function namesOfNodes({ job, nodes }: JobPlan): readonly (readonly string[])[] {
  const own = nodes.map(({ index }) => [nodeHostname(job, index), shortHostname(index)]);
  const ofHosts = nodes.map(({ host }) => [...new Set([host, host.split('.')[0] ?? host])]);
  const counts = Map.groupBy([...own.flat(), ...ofHosts.flat(), 'localhost', 'ip6-localhost'], (name) => name);
  const isFree = (name: string): boolean => counts.get(name)?.length === 1 && !/^[\d.]+$/.test(name);
  return own.map((names, at) => [...names, ...(ofHosts[at] ?? []).filter(isFree)]);
}
