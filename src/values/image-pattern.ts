import { JobError } from './errors.ts';
import { isRegistry, splitReference, splitRegistry } from './image-reference.ts';
import type { ImageReference } from './image-reference.ts';

/** One entry of images.allowed: which references users may name. */
export interface ImagePattern {
  readonly registry: string;
  /** Parts of the path; `**` stands for one part or more, `*` within a part for any text. */
  readonly components: readonly string[];
  /** Absent: every tag and every digest. */
  readonly tag?: string;
  readonly digest?: string;
}

/**
 * Reads a pattern by the same rules as a reference: `hpc/*` is `docker.io/hpc/*` and nothing else, whatever stands
 * before `hpc` in a reference. The registry must be written out: no star can reach across it.
 * Fails with `CONFIG_INVALID`.
 */
export function parseImagePattern(text: string): ImagePattern {
  const { name, tag, digest } = splitReference(text);
  const { registry, path } = splitRegistry(name);
  if (registry.includes('*')) throw invalid(text, 'the registry must be written out, without "*"');
  if (!isRegistry(registry))
    throw invalid(text, `"${registry.slice(0, 120)}" is not a registry (small letters, digits, an optional port)`);
  // A bare name is an official image of docker.io, but a bare `**` reaches across: it means all of docker.io.
  const components = /^(?:(?:index\.)?docker\.io\/)?\*\*$/.test(name) ? ['**'] : path.split('/');
  for (const component of components) {
    if (component !== '**' && !isComponentPattern(component))
      throw invalid(text, `"${component.slice(0, 120)}" cannot be a part of an image name`);
  }
  if (tag !== undefined && !/^[A-Za-z0-9_*][A-Za-z0-9_.*-]{0,127}$/.test(tag))
    throw invalid(text, `"${tag.slice(0, 120)}" cannot be a tag`);
  if (digest !== undefined && !/^sha256:[0-9a-f]{64}$/.test(digest))
    throw invalid(text, 'a digest must be sha256: and 64 hex digits');
  return { registry, components, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** True when the pattern allows the reference. */
export function matchesImagePattern(reference: ImageReference, pattern: ImagePattern): boolean {
  if (reference.registry !== pattern.registry) return false;
  if (!matchesPath(reference.path.split('/'), pattern.components)) return false;
  if (pattern.digest !== undefined) return reference.digest === pattern.digest;
  if (pattern.tag === undefined) return true;
  // Beside a digest the engine does not look at the tag: it would be a free pass for any image of the repository.
  return reference.digest === undefined && reference.tag !== undefined && matchesText(reference.tag, pattern.tag);
}

/** Two stars in a part would look like `**` but could not mean it. */
function isComponentPattern(component: string): boolean {
  return /^[a-z0-9._*-]+$/.test(component) && !component.includes('**');
}

function matchesPath(path: readonly string[], components: readonly string[]): boolean {
  const steps = components.flatMap((component): Step<string>[] =>
    component === '**' ? [() => true, 'any'] : [(part) => matchesText(part, component)],
  );
  return matchesSteps(path, steps);
}

function matchesText(text: string, pattern: string): boolean {
  return matchesSteps(
    text.split(''),
    pattern.split('').map((wanted): Step<string> => (wanted === '*' ? 'any' : (found) => found === wanted)),
  );
}

/** Takes one item that it approves of; `any` takes items without limit. */
type Step<Item> = ((item: Item) => boolean) | 'any';

/**
 * Walks once and returns at most to the last `any`: never more than items × steps comparisons, where a regular
 * expression with several stars could be made to run for hours by a hostile name.
 */
function matchesSteps<Item>(items: readonly Item[], steps: readonly Step<Item>[]): boolean {
  let step = 0;
  let lastAny = -1;
  let itemAfterAny = 0;
  for (let position = 0; position < items.length;) {
    const current = steps[step];
    const item = items[position];
    if (current === 'any') {
      lastAny = step++;
      itemAfterAny = position;
    } else if (current !== undefined && item !== undefined && current(item)) {
      step++;
      position++;
    } else if (lastAny !== -1) {
      step = lastAny + 1;
      position = ++itemAfterAny;
    } else {
      return false;
    }
  }
  return steps.slice(step).every((rest) => rest === 'any');
}

function invalid(text: string, reason: string): JobError {
  return new JobError({
    code: 'CONFIG_INVALID',
    message: `${JSON.stringify(text.slice(0, 120))} is not an image pattern: ${reason}.`,
    hint: 'Write it like registry.example:5000/hpc/*; "*" matches within one part, "**" across parts.',
  });
}
