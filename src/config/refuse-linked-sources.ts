import { JobError } from '../values/errors.ts';
import { findForbiddenHere, viewHost } from './find-forbidden-here.ts';
import type { HostView } from './find-forbidden-here.ts';
import type { SiteConfig } from './site-schema.ts';

/**
 * Sources of mounts that lead, by links or mounts of this host, to where no mount may lead, one line each. What is not
 * there, or not to be seen by this process, is left to the host that mounts it.
 */
export function findLinkedSources(site: SiteConfig, withMountsBelow: boolean, host = viewHost()): readonly string[] {
  return site.mounts.allowed.flatMap(({ source }, index) => {
    const found = findForbiddenHere(source, site, host, withMountsBelow);
    if (found === undefined) return [];
    const { end, brings } = found;
    return [
      end === source
        ? `mounts.allowed[${index}].source: "${source}" would bring ${brings} into containers on this host, which may never be mounted`
        : `mounts.allowed[${index}].source: "${source}" leads to ${end}, and ${brings} may never be mounted`,
    ];
  });
}

/**
 * Fails with `CONFIG_INVALID` when a mount of the policy leads to where none may lead. What somebody has mounted below a
 * source closes no site: only the jobs that would get it are refused.
 */
export function refuseLinkedSources(site: SiteConfig, path: string): void {
  const [problem] = findLinkedSources(site, false);
  if (problem === undefined) return;
  throw new JobError({
    code: 'CONFIG_INVALID',
    message: `The site policy ${path} has a problem: ${problem}.`,
    hint: 'An administrator must correct it; `hpc-submit-dockerjob config check FILE` says when it is right.',
  });
}

/** Fails with `MOUNT_NOT_ALLOWED` when one of these sources would bring something of this host that no site may allow. */
export function refuseForbiddenSources(
  site: Pick<SiteConfig, 'docker' | 'etcd' | 'images'>,
  mounts: readonly { readonly source: string }[],
  host: HostView = viewHost(),
): void {
  for (const { source } of mounts) {
    const found = findForbiddenHere(source, site, host);
    if (found === undefined) continue;
    throw new JobError({
      code: 'MOUNT_NOT_ALLOWED',
      message:
        found.end === source
          ? `${source} would bring ${found.brings} of this host into containers, which may never be mounted.`
          : `${source} leads to ${found.end} on this host, and ${found.brings} may never be mounted.`,
      hint: 'Correct mounts.allowed in site.yaml, or unmount what is mounted there.',
      rule: `mounts.allowed "${source}"`,
    });
  }
}
