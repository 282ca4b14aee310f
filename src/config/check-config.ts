import { findForbiddenImages } from './find-forbidden-images.ts';
import { readSiteFile } from './load-site.ts';
import { readSite } from './parse-site.ts';
import { findLinkedSources } from './refuse-linked-sources.ts';

/**
 * All that is wrong with a policy file before it is installed; empty when it may be. Does not ask whose file it is. Fails
 * with `CONFIG_INVALID` when it cannot be read.
 */
export async function checkConfigFile(path: string): Promise<readonly string[]> {
  const { config, problems } = readSite(await readSiteFile(path), path);
  if (config === undefined) return problems;
  const found = [...findForbiddenImages(config), ...findLinkedSources(config, true)];
  return found.map((problem) => `${path}: ${problem}`);
}
