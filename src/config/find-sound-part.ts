import { describeIssue, valueAt } from './describe-issue.ts';
import type { SitePath } from './read-site-yaml.ts';
import { siteSchema } from './site-schema.ts';
import type { SiteConfig } from './site-schema.ts';

/** The policy as it would be without what is faulty in its file. */
export interface SoundPart {
  readonly config: SiteConfig;
  /** Where in the file something of this policy stands: items of a list move up when one before them is taken away. */
  readonly toFilePath: (path: SitePath) => SitePath;
}

/** Taking a faulty key away may leave its section without a required one: then that goes in the next round. */
const maxRounds = 4;

/**
 * Takes what is faulty out of the file's values, so that the rules across the rest are told in the same go. Undefined
 * when too much is wrong.
 */
export function findSoundPart(value: unknown, faulty: readonly SitePath[]): SoundPart | undefined {
  const pruned = new PrunedCopy(value);
  let paths = faulty;
  for (let round = 0; round < maxRounds; round += 1) {
    for (const path of paths) pruned.takeAway(path);
    const { root } = pruned;
    const parsed = siteSchema.safeParse(typeof root === 'object' && root !== null ? { ...root, version: 1 } : root);
    if (parsed.success) return { config: parsed.data, toFilePath: (path) => pruned.toFilePath(path) };
    paths = parsed.error.issues
      .flatMap((issue) => describeIssue(issue, root))
      .map(({ path }) => pruned.toFilePath(path));
  }
  return undefined;
}

/** A copy from which values are taken away by their place in the file. */
class PrunedCopy {
  readonly root: unknown;
  /** By the path of a list: the places in the file of the items that it still has. */
  readonly #keptItems = new Map<string, number[]>();

  constructor(value: unknown) {
    this.root = structuredClone(value);
  }

  /** Takes the value away; where it is missing although it is required, what should hold it goes. */
  takeAway(filePath: SitePath): void {
    const path = this.#toOwnPath(filePath);
    if (path === undefined) return;
    const depth = valueAt(this.root, path) === undefined ? path.length - 1 : path.length;
    const last = path[depth - 1];
    const parent = valueAt(this.root, path.slice(0, depth - 1));
    if (last === undefined || typeof parent !== 'object' || parent === null) return;
    if (!Array.isArray(parent)) Reflect.deleteProperty(parent, last);
    else {
      const list = JSON.stringify(filePath.slice(0, depth - 1));
      const kept = this.#keptItems.get(list) ?? [...parent.keys()];
      kept.splice(Number(last), 1);
      this.#keptItems.set(list, kept);
      parent.splice(Number(last), 1);
    }
  }

  toFilePath(path: SitePath): SitePath {
    const filePath: (string | number)[] = [];
    for (const step of path) {
      const kept = typeof step === 'number' ? this.#keptItems.get(JSON.stringify(filePath)) : undefined;
      filePath.push(kept?.[Number(step)] ?? step);
    }
    return filePath;
  }

  /** Undefined when an item on the way was taken away before. */
  #toOwnPath(filePath: SitePath): SitePath | undefined {
    const path = filePath.map((step, depth) => {
      const kept = typeof step === 'number' ? this.#keptItems.get(JSON.stringify(filePath.slice(0, depth))) : undefined;
      return kept === undefined ? step : kept.indexOf(Number(step));
    });
    return path.includes(-1) ? undefined : path;
  }
}
