import { createHash } from 'node:crypto';
import { access, mkdir, writeFile } from 'node:fs/promises';
import type { ContainerEngine, ContainerSpec } from '../../ports/container-engine.ts';
import { JobError } from '../../values/errors.ts';

/** To be raised with every further thing that is looked for: what an earlier release found good is looked at again. */
const looks = 2;

/** Root's alone, and gone after a start of the host. Not below the jobs' directory: an epilog looks whether that is empty. */
const knownGood = '/run/hpc-dockerjob-images';

/**
 * Makes sure that nothing in the image misleads the engine. An image never changes under its id, so each is looked at
 * once per host and set of mounts. Fails with `IMAGE_UNUSABLE`; an image that is not present is for others to report.
 */
export async function examineImage(
  engine: ContainerEngine,
  spec: Pick<ContainerSpec, 'name' | 'imageId' | 'labels' | 'mounts' | 'tmpfs'>,
  foreignTargets: readonly string[],
): Promise<void> {
  const mountTargets = [...spec.mounts, ...spec.tmpfs].map(({ target }) => target);
  const question = { imageId: spec.imageId, mountTargets, foreignTargets };
  const subject = JSON.stringify({ looks, ...question });
  const mark = `${knownGood}/${createHash('sha256').update(subject).digest('hex')}`;
  if (await isThere(mark)) return;
  const faults = await engine.findImageFaults({ ...question, name: `${spec.name}-image`, labels: spec.labels });
  if (faults === undefined) return;
  if (faults.length > 0) {
    throw new JobError({
      code: 'IMAGE_UNUSABLE',
      message: `the image cannot be used: ${faults.join('; ')}.`,
      hint: 'Ask whoever made the image to correct it.',
    });
  }
  await mkdir(knownGood, { recursive: true, mode: 0o700 });
  await writeFile(mark, '', { mode: 0o600 });
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
