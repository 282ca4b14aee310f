import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { defaultSitePath, loadSite } from '../../config/load-site.ts';
import type { SiteConfig, WantedImage } from '../../config/site-schema.ts';
import { decideSubmission } from '../../lsf/esub/decide-submission.ts';
import type { SubmissionChanges, SubmissionPolicy, Wanted } from '../../lsf/esub/decide-submission.ts';
import { readParameterFile, writeEnvironmentChanges, writeParameterChanges } from '../../lsf/esub/exchange-files.ts';
import { findJobStarter } from '../../lsf/esub/find-job-starter.ts';
import { listOwnEsubs } from '../../lsf/esub/list-own-esubs.ts';
import { namesImage } from '../../lsf/esub/named-image.ts';
import { parseParameters } from '../../lsf/esub/parse-parameters.ts';
import { readAbortValue } from '../../lsf/read-abort-value.ts';
import { findCommandLine } from './find-command-line.ts';
import { asksForRequester, decideImageOnly } from '../../policy/decide-request.ts';
import { requesterSoFar } from '../../policy/requester.ts';
import { readUser } from '../../system/read-user.ts';
import { asJobError, JobError } from '../../values/errors.ts';

export interface EsubInput {
  /** Name of the alias; undefined for the esub of every submission. */
  readonly alias: string | undefined;
  /** The arguments that LSF gives it: `bsub -a 'NAME(a,b)'`. */
  readonly words?: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly sitePath?: string | undefined;
  /** Who submits; default: the user of this process. */
  readonly uid?: number;
  /** For people; never standard output, which LSF hands on to eexec. */
  readonly say: (line: string) => void;
}

/** What LSF documents; it says the number in the environment. */
const usualAbortValue = 97;

/**
 * LSF's question about a submission. Resolves to 0, or to the status by which LSF refuses the job. A fault of the site's
 * policy stops those only who asked for an image: it must not close the cluster to everybody.
 */
export async function runEsub(input: EsubInput): Promise<number> {
  const { alias, words = [], environment, sitePath, uid = ownUid(), say } = input;
  // Also called, without files, for lsrun and for copies of files (-f).
  const parameterFile = environment['LSB_SUB_PARM_FILE'] ?? '';
  if (parameterFile === '') return 0;
  let asksForImage = alias !== undefined;
  try {
    const text = readParameterFile(parameterFile);
    const parameters = parseParameters(text);
    const directory = environment['LSF_SERVERDIR'] ?? '';
    const ownEsubs = listOwnEsubs(directory);
    asksForImage ||= namesImage({ parameters, ownEsubs });
    const site = await loadSite(sitePath ?? defaultSitePath, { mustBeTrusted: false });
    const isServed = (name: string): boolean => hasEsub(name, directory);
    let wanted: Wanted | undefined;
    const changes = decideSubmission(
      { alias, words, ownEsubs, isServed, parameters, environment, commandLine: findCommandLine(text) },
      policyOf(site, (judged) => (wanted = judged)),
    );
    if (wanted !== undefined) await judgeForSubmitter(site, wanted, { uid, queue: queueOf(changes, parameters) });
    if (changes.needsStarter) await demandStarter(changes, parameters, environment);
    writeParameterChanges(environment['LSB_SUB_MODIFY_FILE'] ?? '', changes.parameters);
    writeEnvironmentChanges(environment['LSB_SUB_MODIFY_ENVFILE'] ?? '', changes.environment);
    for (const note of changes.notes) say(`note: ${note}`);
    return 0;
  } catch (thrown) {
    const error = asJobError(thrown);
    say(error.toLine());
    const isOfSite = error.code === 'CONFIG_INVALID' || error.code === 'BUG';
    return !asksForImage && isOfSite ? 0 : readAbortValue(environment['LSB_SUB_ABORT_VALUE'], usualAbortValue);
  }
}

/** Where LSF's directory is not known, every esub counts as there. */
function hasEsub(name: string, serverDirectory: string): boolean {
  return !serverDirectory.startsWith('/') || existsSync(join(serverDirectory, `esub.${name}`));
}

/** Fails with `REQUEST_INVALID` for a queue that is known to have no job starter: the job would run on the host itself. */
async function demandStarter(
  changes: SubmissionChanges,
  parameters: ReadonlyMap<string, string>,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  // An application profile of LSF's may have one.
  if (parameters.has('LSB_SUB3_APP')) return;
  const queue = queueOf(changes, parameters);
  if ((await findJobStarter(queue, environment)) !== '') return;
  throw new JobError({
    code: 'REQUEST_INVALID',
    message: `${queue === undefined ? 'The default queue' : `Queue ${queue}`} has no job starter: the job would run on the host itself, not in its image.`,
    hint: 'Name another queue (-q). (Administrators: JOB_STARTER in lsb.queues, or lsf.queue of the application in site.yaml.)',
  });
}

/** The queue to which the job goes; undefined for LSF's default, which is not known here. */
function queueOf(
  { parameters: changed }: SubmissionChanges,
  parameters: ReadonlyMap<string, string>,
): string | undefined {
  const wanted = changed['LSB_SUB_QUEUE'];
  return wanted === undefined ? parameters.get('LSB_SUB_QUEUE') : String(wanted);
}

/**
 * Judges what the job is to run in as it will be judged when it starts, as far as that is known now: for this user, and
 * for the queue where one queue is named. Fails as `decideImageOnly` does.
 */
async function judgeForSubmitter(
  site: SiteConfig,
  wanted: Wanted,
  { uid, queue }: { readonly uid: number; readonly queue: string | undefined },
): Promise<void> {
  // Asked only where a rule needs an answer: every submission of the cluster waits for this program.
  const named = queue === undefined || /\s/.test(queue) ? undefined : queue;
  if (!asksForRequester(site, wanted)) return;
  // A submission host that does not know the user leaves it to the hosts of the job, as it is for root.
  const user = uid === 0 ? undefined : await readUser(uid).catch(() => undefined);
  decideImageOnly(site, wanted, requesterSoFar({ user, queue: named }));
}

function ownUid(): number {
  return process.getuid?.() ?? -1;
}

/** `note` is told what the job is to run in, once that may be used by somebody. */
function policyOf(site: SiteConfig, note: (wanted: Wanted) => void): SubmissionPolicy {
  const { aliases } = site.lsf;
  return {
    aliasNames: Object.keys(aliases),
    alias: (name) => (Object.hasOwn(aliases, name) ? wantedOf(aliases[name]) : undefined),
    queueDefault: queueDefaultOf(site),
    judge: (wanted) => {
      decideImageOnly(site, wanted);
      note(wanted);
    },
    isApplication: (name) => Object.hasOwn(site.applications, name),
    ruleOf: (name) => (Object.hasOwn(site.applications, name) ? site.applications[name]?.lsf : undefined),
  };
}

/** What site.yaml says that jobs of a queue run in which name nothing themselves. */
export function queueDefaultOf({ lsf: { queues } }: SiteConfig): (queue: string) => Wanted | undefined {
  return (queue) => (Object.hasOwn(queues, queue) ? wantedOf(queues[queue]) : undefined);
}

/** site.yaml has exactly one of the two. */
function wantedOf(entry: WantedImage | undefined): Wanted | undefined {
  if (entry === undefined) return undefined;
  return entry.application === '' ? { image: entry.image } : { application: entry.application };
}
