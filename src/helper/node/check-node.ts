import { checkUntamperable } from '../../system/check-untamperable.ts';
import type { ImageFacts } from '../../ports/container-engine.ts';
import { JobError } from '../../values/errors.ts';
import type { HostShare, ShareLimits } from './confirm-share.ts';
import { confirmShare, limitsOf } from './confirm-share.ts';
import type { HelperContext } from '../open-context.ts';
import type { OwnNode } from './own-node.ts';

/** Not below the job's cgroup: the limits that it would have there are the container's own. */
export async function ownLimits(
  context: HelperContext,
  own: OwnNode,
  share: HostShare | undefined,
): Promise<ShareLimits> {
  const { plan, node, site } = own;
  return limitsOf(site, share ?? (await confirmShare(context.authorities.of(plan.scheduler), plan, node)));
}

/** The image of the plan, the very same as on the first host; fails with `IMAGE_NOT_PRESENT`. */
export async function findPlannedImage(context: HelperContext, own: OwnNode): Promise<ImageFacts> {
  const { image } = own.plan;
  const found = await context.engine.findImage(image.id);
  if (found !== undefined) return found;
  const other = await context.engine.findImage(image.reference);
  throw new JobError({
    code: 'IMAGE_NOT_PRESENT',
    message:
      other === undefined
        ? `image ${image.reference} is not present on host ${own.node.host}.`
        : `image ${image.reference} on host ${own.node.host} is another one (${other.id.slice(0, 19)}) than on the first host (${image.id.slice(0, 19)}).`,
    hint: 'Ask the administrators to bring the same image to every host (docker pull, or docker save and load).',
  });
}

/** This host's own policy has the last word on what is mounted here. */
export async function checkMountsHere(own: OwnNode): Promise<void> {
  for (const mount of own.plan.mounts) {
    const allowed = own.site.mounts.allowed.find(
      ({ source, target }) => source === mount.source && target === mount.target,
    );
    if (allowed === undefined || (allowed.readOnly && !mount.readOnly)) {
      throw new JobError({
        code: 'MOUNT_NOT_ALLOWED',
        message: `site.yaml on host ${own.node.host} does not allow the mount of ${mount.source} that the first host's does.`,
        hint: 'site.yaml must be the same on every host.',
      });
    }
    await checkUntamperable(mount.source, { expected: 'directory', endMayBeShared: true, code: 'HOST_UNFIT' });
  }
}
