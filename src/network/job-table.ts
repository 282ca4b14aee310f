import type { ContainerEngine } from '../ports/container-engine.ts';
import { JobError } from '../values/errors.ts';
import type { JobKey } from '../contract/job-key.ts';
import { parseJobKey } from '../contract/job-key.ts';
import { labels } from '../contract/labels.ts';
import type { HostCommands } from '../ports/host-commands.ts';

/** Name of the job's nftables table on each of its hosts; everything in it goes away with it. */
export function jobTableName(job: JobKey): string {
  return `hpcdj_${job}`;
}

/** Puts the table in place of any older one of the job, in one step: at no moment is there none. */
export async function installJobTable(commands: HostCommands, job: JobKey, chains: string): Promise<void> {
  const name = jobTableName(job);
  const replacement = `table inet ${name}\ndelete table inet ${name}\ntable inet ${name} {\n${chains}\n}\n`;
  await commands.run('nft', ['-f', '-'], replacement);
}

/**
 * Removes the job's table; succeeds when there is none. Fails with `HOST_UNFIT` while a container of the job is on this
 * host: the filter must outlive it.
 */
export async function removeJobTable(
  engine: Pick<ContainerEngine, 'findContainers'>,
  commands: HostCommands,
  job: JobKey,
): Promise<void> {
  const [standing] = await engine.findContainers({ [labels.job]: job });
  if (standing !== undefined) {
    throw new JobError({
      code: 'HOST_UNFIT',
      message: `Container ${standing.name} is still on this host, so the packet filter of job ${job} stays too.`,
    });
  }
  const name = jobTableName(job);
  await commands.run('nft', ['-f', '-'], `table inet ${name}\ndelete table inet ${name}\n`);
}

/** Every job that has a table on this host. */
export async function findTabledJobs(commands: HostCommands): Promise<readonly JobKey[]> {
  const tables = await commands.run('nft', ['list', 'tables', 'inet']);
  const names = [...tables.matchAll(/^table inet hpcdj_([0-9_]+)$/gm)].map(([, name]) => parseJobKey(name ?? ''));
  return names.filter((job) => job !== undefined);
}

/** The job's table by name; empty when there is none. */
export async function findJobTable(commands: HostCommands, job: JobKey): Promise<readonly string[]> {
  const tables = await commands.run('nft', ['list', 'tables', 'inet']);
  const wanted = `table inet ${jobTableName(job)}`;
  return tables.split('\n').some((line) => line.trim() === wanted) ? [`nftables ${wanted}`] : [];
}
