import type { SiteConfig } from '../config/site-schema.ts';
import { JobError } from '../values/errors.ts';

/** Fails with `CONFIG_INVALID` for a job on several hosts at a site that has no store through which they could meet. */
export function requireStore({ etcd }: Pick<SiteConfig, 'etcd'>, hostCount: number): void {
  if (hostCount === 1 || etcd.endpoints.length > 0) return;
  throw new JobError({
    code: 'CONFIG_INVALID',
    message: 'site.yaml: etcd.endpoints is empty, so jobs can only use one host.',
    hint: 'Ask the administrators to set etcd.endpoints, or ask the scheduler for one host.',
    rule: 'etcd.endpoints',
  });
}
