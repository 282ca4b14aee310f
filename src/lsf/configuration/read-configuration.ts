import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readRegularFile } from '../../system/read-regular-file.ts';
import { asClause, JobError } from '../../values/errors.ts';
import { parseAssignments, parseSections } from './parse-configuration.ts';
import type { Assignments, Section } from './parse-configuration.ts';

/** What LSF's files say, as far as jobs in containers depend on it. */
export interface LsfConfiguration {
  readonly conf: Assignments;
  readonly params: Assignments;
  readonly queues: readonly Section[];
  readonly applications: readonly Section[];
  /** lsf.sudoers; undefined where there is none, `unreadable` where only root may read it. */
  readonly sudoers: Assignments | 'unreadable' | undefined;
}

export interface LsfFiles {
  /** Directory of lsf.conf: site.yaml `scheduler.lsf.confDirectory`; empty: where LSF itself would look. */
  readonly confDirectory: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Root's own file, on every host. */
  readonly sudoersFile?: string;
}

const mostBytes = 4 * 1024 * 1024;

/** Reads lsf.conf, and beside it or where it says: lsb.params, lsb.queues, lsb.applications. Fails with `CONFIG_INVALID`. */
export async function readConfiguration(files: LsfFiles): Promise<LsfConfiguration> {
  const directory =
    [files.confDirectory, files.environment['LSF_ENVDIR']].find((named) => named !== undefined && named !== '') ??
    '/etc';
  const conf = parseAssignments(await readText(join(directory, 'lsf.conf')));
  const batch = await findBatchDirectory(conf, directory);
  const [params, queues, applications] = await Promise.all([
    readText(join(batch, 'lsb.params')),
    readText(join(batch, 'lsb.queues')),
    readText(join(batch, 'lsb.applications')).catch(() => ''), // not every system has it
  ]);
  return {
    conf,
    params: parseAssignments(params),
    queues: parseSections(queues, 'Queue', 'QUEUE_NAME'),
    applications: parseSections(applications, 'Application', 'NAME'),
    sudoers: await readSudoers(files.sudoersFile ?? '/etc/lsf.sudoers'),
  };
}

/** IBM: LSB_CONFDIR/<cluster>/configdir; others have all files in one directory. */
async function findBatchDirectory(conf: Assignments, directory: string): Promise<string> {
  const root = conf.get('LSB_CONFDIR') ?? directory;
  const clusters: readonly string[] = await readdir(root).catch(() => []);
  const candidates = [root, directory, ...clusters.map((cluster) => join(root, cluster, 'configdir'))];
  for (const candidate of candidates) {
    const names: readonly string[] = await readdir(candidate).catch(() => []);
    if (names.includes('lsb.queues')) return candidate;
  }
  throw new JobError({
    code: 'CONFIG_INVALID',
    message: `LSF's lsb.queues is neither in ${root}, nor in ${directory}, nor in ${root}/<cluster>/configdir.`,
    hint: 'Correct scheduler.lsf.confDirectory in site.yaml: it names the directory of lsf.conf.',
  });
}

async function readSudoers(file: string): Promise<LsfConfiguration['sudoers']> {
  try {
    return parseAssignments(await readText(file));
  } catch (error) {
    const cause = error instanceof JobError ? error.cause : error;
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    return code === 'ENOENT' ? undefined : 'unreadable';
  }
}

/** Text of a regular file of at most 4 MiB. */
async function readText(file: string): Promise<string> {
  try {
    return String(await readRegularFile(file, { mostBytes }));
  } catch (cause) {
    throw new JobError({
      code: 'CONFIG_INVALID',
      message: `LSF's file ${file} cannot be read: ${asClause(cause)}.`,
      hint: 'Correct scheduler.lsf.confDirectory in site.yaml: it names the directory of lsf.conf.',
      cause,
    });
  }
}
