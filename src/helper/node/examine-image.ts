import { createHash } from 'node:crypto';
import { access, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import type { ContainerEngine, ContainerSpec, ImageFacts, ImageMountPlace } from '../../ports/container-engine.ts';
import { containerPaths } from '../../contract/container-paths.ts';
import { JobError } from '../../values/errors.ts';
import { oneLine } from '../../values/one-line.ts';
import { listVolumes } from '../../policy/list-volumes.ts';
import { findConfigurationFaults } from './judge-image.ts';

/** To be raised with every further thing that is looked for: what an earlier release found good is looked at again. */
const looks = 5;

/** Root's alone, and gone after a start of the host. Not below the jobs' directory: an epilog looks whether that is empty. */
const knownGood = '/run/hpc-dockerjob-images';

/** So many faults are told; an image can have any number. */
const toldFaults = 4;

export interface ImageToExamine {
  readonly reference: string;
  readonly facts: ImageFacts;
  /** Targets of the mounts that the site allows: users can change what lies below. */
  readonly siteTargets: readonly string[];
}

/**
 * Makes sure that nothing in the image misleads the engine, or is for the engine to fail at. An image never changes under
 * its id, so the files of each are looked at once per host and set of mounts. Fails with `IMAGE_UNUSABLE`; an image that
 * is not present is for others to report.
 */
export async function examineImage(
  engine: Pick<ContainerEngine, 'findImageFaults'>,
  spec: Pick<ContainerSpec, 'name' | 'imageId' | 'labels' | 'mounts' | 'tmpfs'>,
  { reference, facts, siteTargets }: ImageToExamine,
): Promise<void> {
  refuse(reference, findConfigurationFaults(facts));
  const volumes = listVolumes(facts);
  const question = { imageId: spec.imageId, volumes, places: listPlaces(spec, volumes, siteTargets) };
  const subject = JSON.stringify({ looks, ...question });
  const mark = `${knownGood}/${createHash('sha256').update(subject).digest('hex')}`;
  if (await isThere(mark)) return;
  const faults = await engine.findImageFaults({ ...question, name: `${spec.name}-image`, labels: spec.labels });
  if (faults === undefined) return;
  refuse(reference, faults);
  await remember(mark, knownGood);
}

/** A user has one for each image and choice of mounts: without a bound they would fill the host's memory. */
const mostMarks = 4096;

/** Leaves the mark; where there are too many, all others go first, and their images are looked at once more. */
export async function remember(mark: string, directory: string, most = mostMarks): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const names = await readdir(directory);
  if (names.length >= most) for (const name of names) await rm(`${directory}/${name}`, { force: true });
  await writeFile(mark, '', { mode: 0o600 });
}

function refuse(reference: string, faults: readonly string[]): void {
  if (faults.length === 0) return;
  const told = faults.slice(0, toldFaults).join('; ');
  const more = faults.length > toldFaults ? `; and ${faults.length - toldFaults} more` : '';
  throw new JobError({
    code: 'IMAGE_UNUSABLE',
    message: `image ${reference} cannot be used: ${oneLine(told, 1000)}${more}.`,
    hint: 'Ask the maker of the image to correct it.',
  });
}

/**
 * Every target with what is known of it. Where the image declares a volume and nothing is mounted, a file system in memory
 * stands. At a target of ours or of the engine's it has nothing to declare.
 */
export function listPlaces(
  { mounts, tmpfs }: Pick<ContainerSpec, 'mounts' | 'tmpfs'>,
  volumes: readonly string[],
  siteTargets: readonly string[],
): readonly ImageMountPlace[] {
  const bound = mounts.map(({ target, isFile = false }) => {
    const owner = siteTargets.includes(target) ? 'site' : 'ours';
    return { target, kind: isFile ? 'file' : 'directory', owner, isFresh: false } as const;
  });
  const ours = tmpfs.filter(({ target }) => target === openTmpfs || target === containerPaths.private);
  const fresh = ours.map(({ target }) => {
    return { target, kind: 'directory', owner: 'ours', isFresh: target === openTmpfs } as const;
  });
  const declared = volumes
    .filter((target) => target !== openTmpfs && !siteTargets.includes(target))
    .map((target) => ({ target, kind: 'directory', owner: 'image', isFresh: true }) as const);
  return [...bound, ...fresh, ...declared];
}

/** Ours, and free for an image to declare as well. */
const openTmpfs = '/tmp';

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
