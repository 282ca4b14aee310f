import type { ImageMountPlace } from '../ports/container-engine.ts';
import { ImageFault } from './read-image-files.ts';
import type { ImageFiles } from './read-image-files.ts';

/** As the kernel limits it. */
const maxLinks = 40;
/** The engine is asked for each; links of an image can lead through thousands of directories. */
const maxSteps = 255;

/** The way that root goes in the image to one mount's target. */
interface Walk {
  readonly place: ImageMountPlace;
  /** Every path on the way, links included; what is mounted at one of them would be entered. */
  readonly visited: ReadonlySet<string>;
  /** Where the mount comes to lie. */
  readonly landing: string;
  readonly passesLink: boolean;
}

/**
 * What the image does to the targets of its container's mounts, in words; empty when each lands beside all others.
 *
 * The engine mounts one after the other, as root, follows the image's links to each target and makes what is missing of
 * the path. So no way may enter what another mount has put there, where a user could have left links, or where root
 * would make directories for somebody else. All are walked in the bare image first; if no way passes another's landing,
 * every order of mounting sees exactly that.
 */
export async function findTargetFaults(
  files: Pick<ImageFiles, 'lookAt'>,
  places: readonly ImageMountPlace[],
): Promise<readonly string[]> {
  const outcomes = await Promise.all(
    places.map(async (place) => await walk(files, place).catch((error: unknown) => asFault(error))),
  );
  const walks = outcomes.filter((outcome) => typeof outcome !== 'string');
  const broken = outcomes.filter((outcome) => typeof outcome === 'string');
  const entered = walks.map((each) => findEntered(each, walks)).filter((fault) => fault !== undefined);
  return [...new Set([...broken, ...entered])];
}

function asFault(error: unknown): string {
  if (error instanceof ImageFault) return error.message;
  throw error;
}

async function walk(files: Pick<ImageFiles, 'lookAt'>, place: ImageMountPlace): Promise<Walk> {
  const name = nameOf(place);
  const parts = place.target.split('/');
  const visited = new Set<string>();
  let landing = '';
  let absent: string | undefined;
  let links = 0;
  let steps = 0;
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    if (part === '..') landing = landing.slice(0, Math.max(0, landing.lastIndexOf('/')));
    if (part === '' || part === '.' || part === '..') continue;
    landing = `${landing}/${part}`;
    visited.add(landing);
    if (++steps > maxSteps) throw new ImageFault(`its ${name} leads through too many directories`);
    if (absent !== undefined && landing.startsWith(`${absent}/`)) continue;
    const entry = await files.lookAt(landing);
    const isEnd = parts.every((rest) => rest === '' || rest === '.');
    if (entry === undefined) absent = landing;
    if (entry === undefined || entry.kind === 'directory') continue;
    if (entry.kind !== 'link') {
      if (!isEnd) throw new ImageFault(`its ${landing} is no directory, which ${name} needs`);
      continue;
    }
    if (++links > maxLinks) throw new ImageFault(`its ${name} leads through too many links`);
    if (entry.target.startsWith('/')) landing = '';
    else landing = landing.slice(0, landing.lastIndexOf('/'));
    parts.unshift(...entry.target.split('/'));
  }
  if (landing === '') throw new ImageFault(`its ${name} leads to the root of the image`);
  await requireKind(files, place, landing);
  return { place, visited, landing, passesLink: links > 0 };
}

async function requireKind(files: Pick<ImageFiles, 'lookAt'>, place: ImageMountPlace, landing: string): Promise<void> {
  const entry = await files.lookAt(landing);
  if (entry === undefined || entry.kind === place.kind) return;
  const where = landing === place.target ? '' : ` (${landing})`;
  const expected = place.kind === 'directory' ? 'no directory' : 'no plain file';
  throw new ImageFault(`its ${nameOf(place)}${where} is ${expected}, and cannot be mounted over`);
}

function findEntered(own: Walk, walks: readonly Walk[]): string | undefined {
  const other = walks.find(
    (each) => each !== own && own.visited.has(each.landing) && isOfImage(own, each) && !isInFresh(own, each),
  );
  if (other === undefined) return undefined;
  const verb = own.passesLink ? 'leads into' : 'lies in';
  return `its ${nameOf(own.place)} ${verb} ${other.landing}, ${describeMount(other)}`;
}

/** Between targets that the site and we have chosen, and that the image leaves where they are, the image has no part. */
function isOfImage(own: Walk, other: Walk): boolean {
  const isPart = ({ passesLink, place }: Walk): boolean => passesLink || place.owner === 'image';
  return isPart(own) || isPart(other);
}

/** A mount below a file system that the engine has just made: there is nothing in it yet, and nobody. */
function isInFresh(own: Walk, other: Walk): boolean {
  if (own.passesLink || other.passesLink || !other.place.isFresh) return false;
  const isOurs = own.place.owner === 'ours' || own.place.owner === 'engine';
  return !isOurs && own.place.target.startsWith(`${other.place.target}/`);
}

function describeMount({ place, landing }: Walk): string {
  if (place.target !== landing) return `where ${nameOf(place)} comes to lie`;
  if (place.owner === 'image') return 'which it declares as a volume';
  return place.owner === 'site' ? 'which is mounted from outside' : "which belongs to the container's system";
}

function nameOf({ owner, target }: ImageMountPlace): string {
  return owner === 'image' ? `volume ${target}` : target;
}
