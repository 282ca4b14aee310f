import { JobError } from './errors.ts';
import { quoteWord } from './one-line.ts';

/** A Docker image reference, taken apart and completed as the Docker Engine itself would do it. */
export interface ImageReference {
  /** Host of the registry with its port, if any; `docker.io` when the reference names none. */
  readonly registry: string;
  /** Repository below the registry; `library/debian` for a bare `debian` on docker.io. */
  readonly path: string;
  /** `latest` when neither a tag nor a digest is given. The engine ignores it beside a digest. */
  readonly tag?: string;
  /** `sha256:<64 hex digits>` */
  readonly digest?: string;
}

const defaultRegistry = 'docker.io';
const officialNamespace = 'library';
const maxNameLength = 255;

const label = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?';
const registryPattern = new RegExp(`^(${label}(?:\\.${label})*)(?::([1-9]\\d{0,4}))?$`);
const componentPattern = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

/**
 * Takes `[registry[:port]/]path[:tag][@sha256:…]` apart. Stricter than the engine: small letters in registry and
 * path, no IPv6 registry, no other digest, so that nothing can be spelled in two ways. Fails with `IMAGE_REFERENCE_INVALID`.
 */
export function parseImageReference(text: string): ImageReference {
  // The longest parts first, so that no later step works on a text of any length.
  if (text.length > maxNameLength + 128 + 80) throw invalid(text, 'it is too long');
  const [scheme] = /^[a-z][a-z-]{0,30}:\/\//.exec(text) ?? [];
  if (scheme !== undefined) throw invalid(text, `a name begins without ${quote(scheme)}`);
  const { name, tag, digest } = splitReference(text);
  if (digest !== undefined && !digestPattern.test(digest))
    throw invalid(text, 'the part after "@" must be sha256: and 64 hex digits');
  if (tag !== undefined && !tagPattern.test(tag)) throw invalid(text, `${quote(tag)} is not a tag`);
  const { registry, path } = splitRegistry(name);
  if (registry.length + 1 + path.length > maxNameLength)
    throw invalid(text, `its name is longer than ${maxNameLength} characters`);
  if (!isRegistry(registry)) throw invalid(text, `${quote(registry)} is not a registry`);
  for (const component of path.split('/')) {
    if (!componentPattern.test(component))
      throw invalid(
        text,
        `${quote(component)} is not a part of an image name (small letters, digits, single separators)`,
      );
  }
  // The engine reads 64 hex digits as the id of any local image, whatever its name.
  if (/^[0-9a-f]{64}$/.test(name)) throw invalid(text, 'an image id is not a name');
  // So it reads sha256:…, whole or its beginning.
  if (registry === defaultRegistry && /^library\/sha\d+$/.test(path)) throw invalid(text, 'an image id is not a name');
  if (digest !== undefined) return { registry, path, ...(tag === undefined ? {} : { tag }), digest };
  return { registry, path, tag: tag ?? 'latest' };
}

/**
 * The reference as people write it, always with a tag or digest: a bare `beef` would be looked up by the engine as the
 * beginning of an image id, too, and so reach any local image.
 */
export function formatImageReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${formatName(reference)}${tag}${digest}`;
}

function formatName({ registry, path }: ImageReference): string {
  const full = `${registry}/${path}`;
  if (registry !== defaultRegistry) return full;
  const short = path.replace(/^library\/(?=[^/]+$)/, '');
  const readAgain = splitRegistry(short);
  // docker.io/my.org/app must keep its registry: my.org would become one.
  return readAgain.registry === registry && readAgain.path === path ? short : full;
}

/** `repository@sha256:…`: this very image, whatever its tags come to mean. */
export function formatPinned({ registry, path }: ImageReference, digest: string): string {
  return formatImageReference({ registry, path, digest });
}

/** The digest of the image in the reference's own repository, out of what the engine lists; undefined when it came from elsewhere. */
export function findOwnDigest(
  { registry, path, digest }: ImageReference,
  repoDigests: readonly string[],
): string | undefined {
  const own = repoDigests.map(parseOrNothing).filter((each) => each?.registry === registry && each.path === path);
  const digests = own.map((each) => each?.digest).filter((each) => each !== undefined);
  return digests.find((each) => each === digest) ?? (digest === undefined ? digests.toSorted()[0] : undefined);
}

/** False for an image that an engine has found by the digest alone, under a repository that the reference does not name. */
export function isOfRepository(
  reference: ImageReference,
  image: { readonly repoDigests: readonly string[] } | undefined,
): boolean {
  if (image === undefined || reference.digest === undefined) return image !== undefined;
  return findOwnDigest(reference, image.repoDigests) === reference.digest;
}

function parseOrNothing(text: string): ImageReference | undefined {
  try {
    return parseImageReference(text);
  } catch {
    return undefined; // `<none>@<none>`, and names that no job can use
  }
}

/** True for an image of docker.io, which a name without a registry means. */
export function isDockerHub({ registry }: ImageReference): boolean {
  return registry === defaultRegistry;
}

/** True for a reference or pattern that names docker.io itself. */
export function spellsOutDockerHub(text: string): boolean {
  return /^(?:index\.)?docker\.io\//.test(text);
}

/** Cuts at the separators only; says nothing about the parts. Patterns are cut in the same way (image-pattern.ts). */
export function splitReference(text: string): {
  readonly name: string;
  readonly tag?: string;
  readonly digest?: string;
} {
  const at = text.indexOf('@');
  const beforeDigest = at === -1 ? text : text.slice(0, at);
  // A colon before the last slash belongs to a port.
  const colon = beforeDigest.indexOf(':', beforeDigest.lastIndexOf('/') + 1);
  return {
    name: colon === -1 ? beforeDigest : beforeDigest.slice(0, colon),
    ...(colon === -1 ? {} : { tag: beforeDigest.slice(colon + 1) }),
    ...(at === -1 ? {} : { digest: text.slice(at + 1) }),
  };
}

/** The engine's rule: a first part with a dot, a colon or the name localhost is a registry; else it is docker.io's. */
export function splitRegistry(name: string): { readonly registry: string; readonly path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(0, slash));
  if (slash === -1 || !(first.includes('.') || first.includes(':') || first === 'localhost')) {
    return { registry: defaultRegistry, path: name.includes('/') ? name : `${officialNamespace}/${name}` };
  }
  const rest = name.slice(slash + 1);
  const registry = first === 'index.docker.io' ? defaultRegistry : first;
  return {
    registry,
    path: registry === defaultRegistry && !rest.includes('/') ? `${officialNamespace}/${rest}` : rest,
  };
}

/** True for a host name in small letters with an optional port. */
export function isRegistry(text: string): boolean {
  const match = registryPattern.exec(text);
  return match !== null && Number(match[2] ?? 1) <= 65_535;
}

/** A user's words inside a message: in one line, and without anything that steers a terminal. */
function quote(text: string): string {
  return quoteWord(text, 120);
}

function invalid(text: string, reason: string): JobError {
  return new JobError({
    code: 'IMAGE_REFERENCE_INVALID',
    message: `${quote(text)} is not an image reference: ${reason}.`,
    hint: 'Write it like openfoam:2.3.0 or registry.example:5000/hpc/openfoam:2.3.0.',
  });
}
