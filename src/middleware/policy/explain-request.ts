import { defaultSitePath, loadSite } from '../../config/load-site.ts';
import { refuseForbiddenSources } from '../../config/refuse-linked-sources.ts';
import type { SiteConfig } from '../../config/site-schema.ts';
import type { JobCommand } from '../../contract/job-request.ts';
import { needsQueue } from '../../policy/decide-request.ts';
import type { Decision } from '../../policy/decide-request.ts';
import { explainContainer } from '../../policy/explain-container.ts';
import { passVariables } from '../../policy/pass-variables.ts';
import type { DecidingRule } from '../../policy/request-to-decide.ts';
import { inGroupOfJob } from '../../system/read-user.ts';
import { asClause, asJobError, JobError } from '../../values/errors.ts';
import type { HostUser } from '../../values/host-user.ts';
import { checkWorkdir } from '../check-workdir.ts';
import { offerVariables } from '../offer-variables.ts';
import type { RequestOptions, UserRequest } from '../read-request.ts';
import { readRequest } from '../read-request.ts';
import { readUmask } from '../read-umask.ts';
import { describeFinalContainer } from './describe-final-container.ts';
import type { FinalContainer } from './describe-final-container.ts';
import type { AskedAllocation, AskerOptions } from './find-asker.ts';
import { confirmOwnJob, findAllocation, findAskingUser, readNamedQueue } from './find-asker.ts';
import { judgeAsked, refuseRoot } from './judge-asked.ts';

/** Options of `explain`. */
export interface ExplainOptions extends RequestOptions, AskerOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/** For whom the verdict is. */
export interface Asker {
  readonly user: HostUser | undefined;
  readonly queue: string | undefined;
  readonly hostCount: number | undefined;
}

/** What the site would make of a request. */
export type Explanation = {
  readonly asker: Asker;
} & (
  | { readonly verdict: 'refused'; readonly error: JobError }
  | {
      readonly verdict: 'allowed';
      readonly wanted: { readonly application?: string; readonly image?: string };
      readonly rules: readonly DecidingRule[];
      readonly command: JobCommand;
      readonly workdir: string;
      /** Set for the command, over what the image sets. */
      readonly environment: Readonly<Record<string, string>>;
      readonly hostfile: string | undefined;
      readonly umask: number;
      readonly container: FinalContainer;
      /** What the policy does not forbid, and is not well all the same on this host. */
      readonly attention: readonly string[];
    }
);

/**
 * What becomes of the request when the user runs it, in the order in which a run finds out: a refusal is a result, not a
 * failure. Starts nothing. Fails only by a fault of this program.
 */
export async function explainRequest(
  options: ExplainOptions,
  command: readonly string[],
  environment: NodeJS.ProcessEnv,
  cwd: string,
): Promise<Explanation> {
  const asker: { -readonly [Name in keyof Asker]: Asker[Name] } = {
    user: undefined,
    queue: undefined,
    hostCount: undefined,
  };
  try {
    const site = await loadSite(options.config ?? defaultSitePath, { mustBeTrusted: false });
    asker.queue = readNamedQueue(options);
    const asked = {
      ...readRequest(options, command, environment, cwd),
      offered: offerVariables(environment),
      umask: readUmask(),
    };
    const place = await findAllocation(options.hosts, environment);
    asker.hostCount = place.allocation.hosts.length;
    const attention = await lookAtWorkdir(asked, place, options.user === undefined);
    const found = await findAskingUser(options.user);
    asker.user = found;
    refuseRoot(found);
    const inJob = place.isReal ? await askOwnJob(site, asked, place, asker.queue) : {};
    const user = inGroupOfJob(found, inJob.gid);
    Object.assign(asker, { user, queue: asker.queue ?? inJob.queue });
    const judged = judgeAsked(site, place.allocation, asked, { user, queue: asker.queue });
    const { decision, request } = judged;
    // As each host of the job looks at them; this one may be one of them.
    refuseForbiddenSources(site, decision.mounts);
    const job = place.isReal ? place.allocation : undefined;
    return {
      asker,
      verdict: 'allowed',
      wanted: {
        ...(asked.application === undefined ? {} : { application: asked.application }),
        ...(asked.image === undefined ? {} : { image: asked.image }),
      },
      rules: [...decision.rules, ...explainContainer(site, request.shmBytes), ...explainEnvironment(asked, decision)],
      ...{ command: asked.command, workdir: request.workdir, umask: request.umask, hostfile: decision.hostfile },
      environment: {
        ...passVariables(request.offered, site.container.passEnvironment, []),
        ...decision.environment,
        ...request.environment,
      },
      container: await describeFinalContainer({ site, asked: judged, user, job }),
      attention,
    };
  } catch (thrown) {
    const error = asJobError(thrown);
    if (error.code === 'BUG') throw thrown;
    return { asker, verdict: 'refused', error };
  }
}

/**
 * In a job the workdir is what it will be, and is looked at as a run does. Outside of one this may be another host than
 * the job's, or the user another one: then a fault is only told.
 */
async function lookAtWorkdir(
  asked: UserRequest,
  { isReal }: AskedAllocation,
  isOwn: boolean,
): Promise<readonly string[]> {
  const look = checkWorkdir(asked.workdir, process.getuid?.() ?? -1);
  if (isReal && isOwn) await look;
  return await look.then(
    () => [],
    (thrown: unknown) => (isOwn ? [asClause(thrown)] : []),
  );
}

/** What the scheduler says of the job that we are in. Its silence counts only where a rule asks for its word. */
async function askOwnJob(
  site: SiteConfig,
  asked: UserRequest,
  { allocation }: AskedAllocation,
  namedQueue: string | undefined,
): Promise<{ readonly queue?: string; readonly gid?: number }> {
  const { kind } = site.scheduler;
  if (kind !== 'auto' && kind !== allocation.scheduler)
    throw new JobError({
      code: 'NOT_PERMITTED',
      message: `Jobs of ${allocation.scheduler} are not served here: site.yaml says scheduler.kind: ${kind}.`,
      rule: 'scheduler.kind',
    });
  try {
    return await confirmOwnJob(site, allocation);
  } catch (thrown) {
    if (namedQueue === undefined && isQueueNeeded(site, asked)) throw thrown;
    return {};
  }
}

function isQueueNeeded(site: SiteConfig, asked: UserRequest): boolean {
  try {
    return needsQueue(site, asked);
  } catch {
    return false; // refused for another reason
  }
}

function explainEnvironment(
  { application }: UserRequest,
  { environment, hostfile }: Decision,
): readonly DecidingRule[] {
  const key = `applications."${application ?? ''}"`;
  return [
    ...Object.entries(environment).map(([name, value]) => ({
      ...{ subject: `environment ${name}`, decision: value, rule: `${key}.environment` },
    })),
    ...(hostfile === undefined
      ? []
      : [{ subject: 'host file', decision: `${hostfile} below the workdir`, rule: `${key}.hostfile` }]),
  ];
}
