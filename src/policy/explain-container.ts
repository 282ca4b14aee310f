import type { SiteConfig } from '../config/site-schema.ts';
import { formatBytes } from '../values/format-bytes.ts';
import { largestShm } from './decide-shm.ts';
import type { DecidingRule } from './request-to-decide.ts';

/** What every container of this site may use of a host, besides what the scheduler gives to the job. */
export function explainContainer(site: SiteConfig, shmBytes = site.container.shmBytes): readonly DecidingRule[] {
  const { container } = site;
  return [
    {
      subject: '/dev/shm',
      decision: `${formatBytes(shmBytes)}, of the job's memory; --shm-size may ask for ${formatBytes(largestShm(site))}`,
      rule: 'container.shmBytes, container.shmMaxBytes',
    },
    {
      subject: "the image's file system",
      ...(container.readOnlyRoot
        ? { decision: 'read-only', rule: 'container.readOnlyRoot' }
        : {
            decision: `up to ${formatBytes(container.writableLayer.bytes)} and ${container.writableLayer.inodes} files may be written to it; watched`,
            rule: 'container.writableLayer',
          }),
    },
    {
      subject: '/tmp, /var/tmp, /run/lock',
      decision: `up to ${formatBytes(container.tmpfsBytes)} each, of the job's memory`,
      rule: 'container.tmpfsBytes',
    },
    {
      subject: 'core files',
      decision: `none unless asked for by ulimit -c; then ${container.coreBytes < 0 ? 'of any size' : `up to ${formatBytes(container.coreBytes)}`}`,
      rule: 'container.coreBytes',
    },
  ];
}
