import { realpathSync } from 'node:fs';
import { JobError } from '../values/errors.ts';
import { findForbidden } from './forbidden-sources.ts';
import type { SiteConfig } from './site-schema.ts';

/**
 * Sources of mounts that lead by links to where no mount may lead, one line each. What is not there, or not to be seen by
 * this process, is left to the host that mounts it.
 */
export function findLinkedSources({ mounts }: SiteConfig): readonly string[] {
  return mounts.allowed.flatMap(({ source }, index) => {
    const end = resolveLinks(source);
    const forbidden = end === undefined ? undefined : findForbidden(end);
    if (forbidden === undefined) return [];
    return [
      `mounts.allowed[${index}].source: "${source}" leads to ${end ?? ''}, and ${forbidden} may never be mounted`,
    ];
  });
}

/** Fails with `CONFIG_INVALID` when a mount of the policy leads by links to where none may lead. */
export function refuseLinkedSources(site: SiteConfig, path: string): void {
  const [problem] = findLinkedSources(site);
  if (problem === undefined) return;
  throw new JobError({
    code: 'CONFIG_INVALID',
    message: `The site policy ${path} has a problem: ${problem}.`,
    hint: 'An administrator must correct it; `hpc-submit-dockerjob config check FILE` says when it is right.',
  });
}

function resolveLinks(source: string): string | undefined {
  try {
    return realpathSync(source);
  } catch {
    return undefined;
  }
}
