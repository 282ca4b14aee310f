import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { checkPrograms } from '../config/check-programs.ts';
import { checkUntamperable } from '../system/check-untamperable.ts';
import type { SiteConfig } from '../config/site-schema.ts';
import { connectEngine } from '../docker/connect-engine.ts';
import { connectEtcd } from '../etcd/connect-etcd.ts';
import { hostCommands } from './host/host-commands.ts';
import { networkKinds, networkPrograms } from '../network/known-networks.ts';
import { requireStore } from '../policy/require-store.ts';
import type { NetworkName } from '../network/known-networks.ts';
import type { ContainerEngine } from '../ports/container-engine.ts';
import type { NetworkDriver } from '../ports/network-driver.ts';
import type { Store } from '../ports/store.ts';
import { JobError } from '../values/errors.ts';
import { hostPrograms } from '../system/host-programs.ts';
import type { Audit } from './audit/audit.ts';
import { findAuthorities, schedulerPrograms } from './find-authority.ts';
import type { Authorities } from './find-authority.ts';
import { findRuntime } from './host/find-runtime.ts';
import type { Runtime } from './host/find-runtime.ts';
import type { Caller } from './caller/identify-caller.ts';

/** What every verb of the helper works with on this host. */
export interface HelperContext {
  readonly site: SiteConfig;
  readonly caller: Caller;
  readonly engine: ContainerEngine;
  readonly authorities: Authorities;
  readonly audit: Audit;
  /** What is mounted into every container; asked for only where one is made. */
  findRuntime(): Promise<Runtime>;
  network(name: NetworkName): NetworkDriver;
}

export interface ContextOptions {
  /** True for what starts a job: it outlives a restart of the Docker Engine. */
  readonly isStarting?: boolean;
}

/** A restart of dockerd or containerd takes some seconds; half of a start's time is left for the start itself. */
const mostRetryMs = 15_000;

/** Refuses to go on when this program, or one that it runs, could have been changed by anyone but root. */
export async function openContext(
  caller: Caller,
  site: SiteConfig,
  audit: Audit,
  { isStarting = false }: ContextOptions = {},
): Promise<HelperContext> {
  const packageDirectory = resolve(dirname(process.argv[1] ?? ''), '..');
  await checkUntamperable(`${packageDirectory}/dist/helper.bundle.cjs`, { expected: 'file' });
  if (site.audit.file !== '') await checkUntamperable(`${packageDirectory}/share/append-audit`, { expected: 'file' });
  await checkUntamperable(process.execPath, { expected: 'program' });
  await checkPrograms(site.scheduler.commandPath, [
    ...schedulerPrograms(site.scheduler),
    ...Object.keys({ ...networkPrograms, ...hostPrograms }),
  ]);
  const { socket: socketPath, callTimeoutMs, absenceSeconds } = site.docker;
  const retryMs = isStarting ? Math.min(mostRetryMs, site.deadlines.startSeconds * 500) : 0;
  const engine = connectEngine({ socketPath, callTimeoutMs, absenceMs: absenceSeconds * 1000, retryMs });
  return {
    site,
    caller,
    engine,
    authorities: findAuthorities(site.scheduler),
    audit,
    findRuntime: async () => await findRuntime(packageDirectory),
    network: (name) => networkKinds[name].open(engine, hostCommands({ commandPath: site.scheduler.commandPath })),
  };
}

/** The site's etcd; fails with `CONFIG_INVALID` when the site has none. */
export async function openSharedStore(site: SiteConfig): Promise<Store> {
  const { endpoints, caFile, certFile, keyFile, callTimeoutMs } = site.etcd;
  requireStore(site, Infinity);
  const [ca, cert, key] = await Promise.all([caFile, certFile, keyFile].map(readTlsFile));
  if (!ca || !cert || !key) throw new JobError({ code: 'BUG', message: 'TLS files were read but are empty.' });
  return connectEtcd({ endpoints, ca, cert, key, callTimeoutMs });
}

async function readTlsFile(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new JobError({
      code: 'CONFIG_INVALID',
      message: `Cannot read ${path}, named in site.yaml under etcd: ${cause instanceof Error ? cause.message : String(cause)}.`,
      hint: 'Put this host\'s certificate there; see the admin guide, "Certificates".',
      cause,
    });
  }
}
