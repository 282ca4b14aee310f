import { containerPaths } from './container-paths.ts';
import type { JobKey } from './job-key.ts';
import { containerName, parseJobKey } from './job-key.ts';
import { labels } from './labels.ts';

/** Below it root keeps what belongs to each job of this host. */
export const runDirectory = '/run/hpc-dockerjob';

/** Root's directory of one node's container: its files, and the directory of the helper's socket. */
export function nodeRunDirectory(job: JobKey, index: number): string {
  return `${runDirectory}/${job}/node-${index}`;
}

/** Name of the container, never started, through which a node's image is looked at. */
function imageContainerName(job: JobKey, index: number): string {
  return `${containerName(job, index)}-image`;
}

export interface ContainerMarks {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** As the engine lists them; `source` is empty but for what comes from the host. */
  readonly mounts: readonly { readonly type: string; readonly source: string; readonly target: string }[];
}

/**
 * True for a container that this product has made. Labels prove nothing: an image brings any, and whoever starts a
 * container of it has them. So its name must be that of the labels' node, and it must have a mount that no image can
 * bring: root's own directory of that node, or, never started, the mark of an image that is looked at.
 */
export function isOwnContainer({ name, labels: own, mounts }: ContainerMarks): boolean {
  const job = parseJobKey(own[labels.job] ?? '');
  const node = own[labels.node] ?? '';
  if (job === undefined || !/^(?:0|[1-9]\d{0,5})$/.test(node)) return false;
  const index = Number(node);
  const has = (type: string, source: string, target: string): boolean =>
    mounts.some((mount) => mount.type === type && mount.source === source && mount.target === target);
  if (name === imageContainerName(job, index)) return has('tmpfs', '', containerPaths.lookedAt);
  return (
    name === containerName(job, index) &&
    has('bind', `${nodeRunDirectory(job, index)}/helper`, containerPaths.socketDirectory)
  );
}
