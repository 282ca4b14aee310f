import { Command } from 'commander';
import type { SiteConfig } from '../../config/site-schema.ts';
import { findVisibleDirectory } from '../../policy/decide-request.ts';
import type { JudgedUser, Requester } from '../../policy/requester.ts';
import { findGroup, findUser, isNumber } from '../../system/find-user.ts';
import { asJobError, JobError } from '../../values/errors.ts';
import type { HostUser } from '../../values/host-user.ts';
import type { RequestOptions } from '../read-request.ts';
import { readRequest } from '../read-request.ts';
import { addRequestOptions } from '../verbs/request-options.ts';
import type { PolicyCase } from './case-schema.ts';
import { imagineAllocation, judgeAsked, refuseRoot } from './judge-asked.ts';

/** The user database that cases are judged by. */
export interface UserDatabase {
  /** By name or digits; fails with `HOST_UNFIT` for an unknown one. */
  findUser(text: string): Promise<HostUser>;
  findGroup(text: string): Promise<HostUser['groups'][number] | undefined>;
}

/** This host's, each entry asked for once. */
export function hostUserDatabase(): UserDatabase {
  const users = new Map<string, Promise<HostUser>>();
  const groups = new Map<string, ReturnType<typeof findGroup>>();
  return {
    findUser: async (text) => await (users.get(text) ?? keep(users, text, findUser(text))),
    findGroup: async (text) => await (groups.get(text) ?? keep(groups, text, findGroup(text))),
  };
}

function keep<T>(map: Map<string, Promise<T>>, key: string, value: Promise<T>): Promise<T> {
  map.set(key, value);
  return value;
}

/** What became of a case. */
export type Verdict =
  | { readonly verdict: 'allowed'; readonly rules: readonly string[] }
  | { readonly verdict: 'refused'; readonly error: JobError };

/** Judges a case as `explain` and `open-job` judge a request. A refusal is a verdict. */
export async function judgeCase(site: SiteConfig, each: PolicyCase, database: UserDatabase): Promise<Verdict> {
  try {
    const options = readOptions(each);
    const user = await findCaseUser(each, database);
    if (user !== undefined) refuseRoot(user);
    const requester: Requester = { user, queue: each.partition ?? each.queue };
    const allocation = imagineAllocation(each.hosts ?? 1);
    const command = typeof each.command === 'string' ? { COMMAND: each.command } : {};
    const argv = Array.isArray(each.command) ? each.command : each.command === undefined ? ['true'] : [];
    const asked = readRequest(options, argv, command, '/');
    const workdir =
      options.workdir === undefined
        ? findVisibleDirectory(site, { ...asked, hostCount: allocation.hosts.length }, requester)
        : asked.workdir;
    const { decision } = judgeAsked(site, allocation, { ...asked, workdir }, requester);
    return { verdict: 'allowed', rules: decision.rules.map(({ rule }) => rule) };
  } catch (thrown) {
    const error = asJobError(thrown);
    if (error.code === 'BUG') throw thrown;
    return { verdict: 'refused', error };
  }
}

/** The request's options: those that the case writes as on a command line, and its keys. Fails with `USAGE`. */
function readOptions({ options = [], ...keys }: PolicyCase): RequestOptions {
  const written = parseOptions(options);
  const environment = Object.entries(keys.environment ?? {}).map(([name, value]) => `${name}=${value}`);
  return {
    ...written,
    ...(keys.application === undefined ? {} : { application: keys.application }),
    ...(keys.image === undefined ? {} : { image: keys.image }),
    ...(keys.workdir === undefined ? {} : { workdir: keys.workdir }),
    ...(keys.shmSize === undefined ? {} : { shmSize: keys.shmSize }),
    env: [...(written.env ?? []), ...environment],
    mount: [...(written.mount ?? []), ...(keys.mounts ?? [])],
    device: [...(written.device ?? []), ...(keys.devices ?? [])],
  };
}

/** By the very definitions of the command line. */
function parseOptions(words: readonly string[]): RequestOptions {
  if (words.length === 0) return {};
  const said: string[] = [];
  const parser = addRequestOptions(new Command('hpc-submit-dockerjob'))
    .exitOverride()
    .helpOption(false)
    .configureOutput({ writeErr: (text) => void said.push(text), writeOut: () => undefined });
  try {
    return parser.parse(words, { from: 'user' }).opts<RequestOptions>();
  } catch {
    throw new JobError({
      code: 'USAGE',
      message: `The options are refused: ${said
        .join(' ')
        .replace(/^error: /, '')
        .trim()}.`,
      hint: 'hpc-submit-dockerjob --help lists all options.',
    });
  }
}

/**
 * The user of a case. Named with groups, they are taken as they are, and this host's user database only adds the numbers
 * and names that it knows; named alone, the database must know the user. Nobody in particular where none is named.
 */
async function findCaseUser(each: PolicyCase, database: UserDatabase): Promise<JudgedUser | undefined> {
  const { user: named, groups } = each;
  if (groups === undefined) return named === undefined ? undefined : await database.findUser(named);
  const known = named === undefined ? undefined : await database.findUser(named).catch(() => undefined);
  return {
    name: known?.name ?? (named === undefined || isNumber(named) ? '' : named),
    uid: known?.uid ?? (named !== undefined && isNumber(named) ? Number(named) : named === 'root' ? 0 : undefined),
    groups: await Promise.all(groups.map(async (group) => await findCaseGroup(group, database))),
  };
}

async function findCaseGroup(named: string, database: UserDatabase): Promise<JudgedUser['groups'][number]> {
  const known = await database.findGroup(named);
  if (known !== undefined) return known;
  return isNumber(named) ? { name: '', gid: Number(named) } : { name: named, gid: undefined };
}
