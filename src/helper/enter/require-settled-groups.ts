import { lstat } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { nodeRunDirectory } from '../../contract/own-objects.ts';
import { JobError } from '../../values/errors.ts';
import type { EnteredNode } from './find-entered-node.ts';

/**
 * Makes sure that the user cannot have changed the file in which the engine looks up the groups of whoever enters: it
 * looks by number among names, in the image's own /etc/group below the file that we have mounted there. Where "/" and
 * "/etc" are root's alone it is the same as at the container's start, when the groups were proven. Fails with
 * `IMAGE_UNUSABLE`. Of users without further groups nothing is looked up.
 */
export async function requireSettledGroups({ plan, node, containerPid }: EnteredNode): Promise<void> {
  if (!plan.user.groups.some(({ gid }) => gid !== plan.user.gid && gid !== 0)) return;
  const root = `/proc/${containerPid}/root`;
  // A slash behind it: the kernel's own link to the container's root is followed, and no other.
  const [top, etc, file, ours] = await Promise.all([
    look(`${root}/`),
    look(`${root}/etc`),
    look(`${root}/etc/group`),
    look(`${nodeRunDirectory(plan.job, node.index)}/group`),
  ]);
  const isSettled = isOfRoot(top) && isOfRoot(etc) && file !== undefined && isSame(file, ours);
  if (isSettled) return;
  throw new JobError({
    code: 'IMAGE_UNUSABLE',
    message:
      'The image lets its users change /, /etc or /etc/group, so nobody can prove the groups of a further process.',
    hint: 'Make / and /etc of the image directories of root that only root can write (mode 0755).',
  });
}

/** A directory that only root can change; nothing in a container has root's rights. */
function isOfRoot(found: Stats | undefined): boolean {
  return found !== undefined && found.isDirectory() && found.uid === 0 && (found.mode & 0o022) === 0;
}

function isSame(one: Stats, other: Stats | undefined): boolean {
  return other !== undefined && one.isFile() && one.dev === other.dev && one.ino === other.ino;
}

async function look(path: string): Promise<Stats | undefined> {
  return await lstat(path).catch(() => undefined);
}
