import { defaultSitePath, loadSite } from '../../config/load-site.ts';
import type { SiteConfig } from '../../config/site-schema.ts';
import { readAbortValue } from '../../lsf/read-abort-value.ts';
import { readAllocation } from '../../lsf/read-allocation.ts';
import { chooseImage } from '../../lsf/starter/choose-image.ts';
import { decideImageOnly } from '../../policy/decide-request.ts';
import { asJobError, exitStatus } from '../../values/errors.ts';
import type { ErrorCode } from '../../values/errors.ts';
import type { Finding } from '../../contract/finding.ts';
import { renderFinding } from '../../contract/finding.ts';
import type { HostQuestion } from '../../contract/host-question.ts';
import type { StarterOptions } from '../verbs/request-options.ts';
import { queueDefaultOf } from './run-esub.ts';

export interface PreExecInput {
  /** As of `starter`: for jobs that name nothing themselves. */
  readonly options: StarterOptions;
  readonly environment: NodeJS.ProcessEnv;
  readonly sitePath?: string | undefined;
  /** Root's answer on this host. */
  readonly askHost: (question: HostQuestion) => Promise<readonly Finding[]>;
  readonly say: (line: string) => void;
}

/** What LSF documents; it says the number in the environment. */
const usualAbortValue = 99;

/** Ends of the job that no other host would spare it. */
const refusals: readonly string[] = [
  'IMAGE_NOT_ALLOWED',
  'APPLICATION_NOT_ALLOWED',
  'APPLICATION_UNKNOWN',
  'IMAGE_REFERENCE_INVALID',
  'REQUEST_INVALID',
  'IMAGE_MISSING_IN_REQUEST',
] satisfies ErrorCode[];

/** True for an error that the job would meet on every host, now and later. */
export function isRefusal(code: string): boolean {
  return refusals.includes(code);
}

/**
 * LSF's question before a job starts on this host. 0: start it. `LSB_EXIT_PRE_ABORT` (99): cancel it, since its image is
 * not allowed. 69: this host is unfit, try another. 75: something of the whole cluster is away, try again later. 70: this
 * program could not judge; the hook then lets the job start.
 */
export async function runPreExec(input: PreExecInput): Promise<number> {
  const { environment, say } = input;
  try {
    const site = await loadSite(input.sitePath ?? defaultSitePath, { mustBeTrusted: false });
    const wanted = findWanted(site, input);
    const refusal = wanted === undefined ? undefined : findRefusal(site, wanted);
    if (refusal !== undefined) {
      say(refusal);
      return abortValue(environment);
    }
    const findings = await input.askHost({ scope: 'quick', hostCount: countHosts(environment), ...wanted });
    return judge(findings, environment, say);
  } catch (thrown) {
    // A wrong policy, no sudo rule, a helper that refuses to work: of this host, as far as it can tell.
    const error = asJobError(thrown);
    say(error.toLine());
    return error.code === 'BUG' ? exitStatus.bug : exitStatus.unavailable;
  }
}

type Wanted = Pick<HostQuestion, 'application' | 'image'>;

/** As the starter will find it. What the script itself will ask for is not known before it runs. */
function findWanted(site: SiteConfig, { options, environment }: PreExecInput): Wanted | undefined {
  return chooseImage({ options, environment, queueDefault: queueDefaultOf(site) });
}

function findRefusal(site: SiteConfig, wanted: Wanted): string | undefined {
  try {
    decideImageOnly(site, wanted);
    return undefined;
  } catch (thrown) {
    return asJobError(thrown).toLine();
  }
}

function judge(findings: readonly Finding[], environment: NodeJS.ProcessEnv, say: PreExecInput['say']): number {
  const failed = findings.filter(({ verdict }) => verdict === 'fail');
  for (const finding of failed) say(renderFinding(finding));
  if (failed.length === 0) return 0;
  if (failed.some(({ code }) => isRefusal(code ?? ''))) return abortValue(environment);
  if (failed.every(({ code }) => code === 'BUG')) return exitStatus.bug;
  // The store is the cluster's: no other host would be better off.
  return failed.every(({ check }) => check === 'store') ? exitStatus.temporary : exitStatus.unavailable;
}

/** Forgeable, and of use to nobody: a job of several hosts is only asked for its store earlier than at its start. */
function countHosts(environment: NodeJS.ProcessEnv): number {
  try {
    return readAllocation(environment).hosts.length;
  } catch {
    return 1;
  }
}

/** The status by which a pre-execution command has LSF cancel the job. */
export function abortValue(environment: NodeJS.ProcessEnv): number {
  return readAbortValue(environment['LSB_EXIT_PRE_ABORT'], usualAbortValue);
}
