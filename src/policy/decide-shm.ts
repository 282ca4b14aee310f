import type { SiteConfig } from '../config/site-schema.ts';
import { JobError } from '../values/errors.ts';
import { formatBytes } from '../values/format-bytes.ts';

/** The largest /dev/shm that a job may ask for: never less than what each job gets. */
export function largestShm({ container }: SiteConfig): number {
  return Math.max(container.shmBytes, container.shmMaxBytes);
}

/** Fails with `SHM_NOT_ALLOWED`, which names the bound, when more shared memory is asked for than this site gives. */
export function refuseLargeShm(site: SiteConfig, wantedBytes: number | undefined): void {
  const most = largestShm(site);
  if (wantedBytes === undefined || wantedBytes <= most) return;
  throw new JobError({
    code: 'SHM_NOT_ALLOWED',
    message: `A /dev/shm of ${formatBytes(wantedBytes)} was asked for; this site allows ${formatBytes(most)}.`,
    hint: 'Ask for less with --shm-size, or ask the administrators to raise container.shmMaxBytes in site.yaml.',
    rule: 'container.shmMaxBytes',
  });
}
