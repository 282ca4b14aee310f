import { chmod, mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { containerPaths } from '../shared/agent-protocol.ts';
import type { JobKey } from '../shared/job-key.ts';
import { nodeHostname } from '../shared/job-key.ts';
import type { JobPlan, PlannedNode } from '../shared/job-plan.ts';
import type { Mount } from '../ports/container-engine.ts';

const root = '/run/hpc-dockerjob';

/** `/run/hpc-dockerjob/<job>`: closed to everybody but root; containers get single files and directories out of it. */
export function jobRunDirectory(job: JobKey): string {
  return `${root}/${job}`;
}

/** Socket by which the programs of a one-host job share their store. */
export function localStoreSocket(job: JobKey): string {
  return `${jobRunDirectory(job)}/store.sock`;
}

/** Makes the job's run directory; mode 0700 keeps every other user of the host away from the sockets in it. */
export async function createJobRunDirectory(job: JobKey): Promise<void> {
  await mkdir(jobRunDirectory(job), { recursive: true, mode: 0o700 });
  await chmod(root, 0o700);
}

/** Paths of one node's runtime files on its host. */
export interface NodeRunDirectory {
  readonly path: string;
  readonly agentSocket: string;
  readonly mounts: readonly Mount[];
}

/** Writes the files that a node's container gets: passwd, group, hosts, and the directory of the agent's socket. */
export async function createNodeRunDirectory(plan: JobPlan, node: PlannedNode): Promise<NodeRunDirectory> {
  await createJobRunDirectory(plan.job);
  const path = `${jobRunDirectory(plan.job)}/node-${node.index}`;
  await rm(path, { recursive: true, force: true });
  await mkdir(`${path}/helper`, { recursive: true, mode: 0o755 });
  const files = { passwd: passwdText(plan), group: groupText(plan), hosts: hostsText(plan) };
  for (const [name, text] of Object.entries(files)) await writeFile(`${path}/${name}`, text, { mode: 0o644 });
  return {
    path,
    agentSocket: `${path}/helper/agent.sock`,
    mounts: [
      ...Object.keys(files).map((name) => ({ source: `${path}/${name}`, target: `/etc/${name}`, readOnly: true })),
      { source: `${path}/helper`, target: containerPaths.socketDirectory, readOnly: true },
    ],
  };
}

/** Removes one node's files, or all of the job's on this host; then the job's directory when it is empty. */
export async function removeRunDirectory(job: JobKey, index?: number): Promise<void> {
  const path = jobRunDirectory(job);
  await rm(index === undefined ? path : `${path}/node-${index}`, { recursive: true, force: true });
  await rmdir(path).catch(() => undefined);
}

/** Jobs that have a run directory on this host. */
export async function listRunDirectories(): Promise<readonly string[]> {
  return await readdir(root).catch(() => []);
}

/** A colon or a line break would forge an entry; the schema of the host's database excludes both, this makes it certain. */
const clean = (text: string): string => text.replaceAll(/[:\n\r]/g, '_');

function passwdText(plan: JobPlan): string {
  const { name, uid, gid, home } = plan.user;
  return [
    'root:x:0:0:root:/root:/bin/sh',
    `${clean(name)}:x:${uid}:${gid}:${clean(name)}:${clean(home)}:/bin/sh`,
    'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
    '',
  ].join('\n');
}

function groupText(plan: JobPlan): string {
  const { name, groups } = plan.user;
  const own = groups
    .filter(({ gid }) => gid !== 0)
    .map((group) => `${clean(group.name)}:x:${group.gid}:${clean(name)}`);
  return ['root:x:0:', ...own, ''].join('\n');
}

/** Every node of the job by its name and by its short form; the addresses are fixed before any container starts. */
function hostsText(plan: JobPlan): string {
  const nodes = plan.nodes.map(({ ip, index }) => `${ip}\t${nodeHostname(plan.job, index)}\tnode-${index}`);
  return ['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost', ...nodes, ''].join('\n');
}
