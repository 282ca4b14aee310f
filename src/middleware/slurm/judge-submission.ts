import { stat } from 'node:fs/promises';
import { defaultSitePath, loadSite } from '../../config/load-site.ts';
import { refuseForbiddenSources } from '../../config/refuse-linked-sources.ts';
import type { SiteConfig } from '../../config/site-schema.ts';
import { findVisibleDirectory } from '../../policy/decide-request.ts';
import { requesterSoFar } from '../../policy/requester.ts';
import type { Requester } from '../../policy/requester.ts';
import { exportEnvironment, parseExportFile } from '../../slurm/submit/export-environment.ts';
import { findOwnCall } from '../../slurm/submit/find-own-call.ts';
import { leastHosts, onlyPartition } from '../../slurm/submit/submission.ts';
import type { SlurmSubmission } from '../../slurm/submit/submission.ts';
import { readRegularFile } from '../../system/read-regular-file.ts';
import { inGroupOfJob, readUser } from '../../system/read-user.ts';
import { asJobError, exitStatus } from '../../values/errors.ts';
import type { JobError } from '../../values/errors.ts';
import { readInputWish } from '../decide-input.ts';
import { imagineAllocation, judgeAsked, refuseRoot } from '../policy/judge-asked.ts';
import type { UserRequest } from '../read-request.ts';
import { readRequest } from '../read-request.ts';
import { isMeantForUs } from './is-meant-for-us.ts';
import { judgeWorkdir } from './judge-workdir.ts';
import { parseOwnCall } from './parse-own-call.ts';
import type { ParsedCall } from './parse-own-call.ts';
import { refuseShape } from './refuse-shape.ts';

export interface SubmissionInput {
  readonly submission: SlurmSubmission;
  /** The submitter's, of which the submission's `--export` chooses. */
  readonly environment: NodeJS.ProcessEnv;
  /** Where the job will run: `--chdir`, else where it was submitted. */
  readonly cwd: string;
  /** Whose job it will be. */
  readonly uid: number;
  /** The group under which it is submitted, where that is not the user's own. */
  readonly gid?: number | undefined;
  /** Names of the program's verbs: a job that calls one of them is no run. */
  readonly verbs: readonly string[];
  readonly sitePath?: string | undefined;
}

/** What is said of a submission: it passes, perhaps with a word for the user, or is refused. */
export type SubmissionVerdict =
  { readonly verdict: 'passed'; readonly note?: string } | { readonly verdict: 'refused'; readonly error: JobError };

/** Statuses of what the user has written; all else is a fault of a host or of the site, of which a job is told when it starts. */
const ofUser: readonly number[] = [exitStatus.usage, exitStatus.refusedRequest, exitStatus.refusedByPolicy];

/**
 * Judges a submission to Slurm as its job will be judged when it starts, as far as that is known now. Never refuses a job that
 * asks for no container, and none for a fault that is not its user's. Fails with `BUG` alone.
 */
export async function judgeSubmission(input: SubmissionInput): Promise<SubmissionVerdict> {
  try {
    return { verdict: 'passed', ...(await judge(input)) };
  } catch (thrown) {
    const error = asJobError(thrown);
    if (error.code === 'BUG') throw thrown;
    if (ofUser.includes(error.exitStatus)) return { verdict: 'refused', error };
    return { verdict: 'passed', note: `the request is judged when the job starts, not now: ${error.toLine()}` };
  }
}

async function judge(input: SubmissionInput): Promise<{ readonly note?: string }> {
  const { submission, sitePath = defaultSitePath } = input;
  const own = findOwnCall(submission);
  const call = own === undefined ? undefined : parseOwnCall(own, input.verbs);
  if (call === 'other') return {};
  const environment = { ...(await environmentOfJob(input)), ...call?.assigned };
  const isSurelyOurs = call !== undefined || (environment['HPCDJ_IMAGE'] ?? '') !== '';
  if (!isSurelyOurs && (environment['APPLICATION'] ?? '') === '') return {};
  const site = await loadSite(sitePath, { mustBeTrusted: false }).catch((thrown: unknown) => {
    if (isSurelyOurs) throw thrown;
    return undefined;
  });
  if (site?.slurm.judgeSubmissions !== true) return {};
  if (!isSurelyOurs && !(await isMeantForUs({ site, submission, environment, cwd: input.cwd }))) return {};
  refuseShape(submission, { isOwnCall: call !== undefined });
  const named = readNamed(call, environment, input.cwd);
  refuseRoot({ uid: input.uid });
  const requester = await findRequester(input);
  const hostCount = leastHosts(submission) ?? 1;
  const asked = named.isWorkdirKnown ? named.request : atVisibleDirectory(site, named.request, hostCount, requester);
  const { decision } = judgeAsked(site, imagineAllocation(hostCount), asked, requester);
  refuseForbiddenSources(site, decision.mounts);
  if (!named.isWorkdirKnown) return {};
  const { uid } = input;
  const isSure = call !== undefined && submission.waits !== true;
  return await judgeWorkdir(asked.workdir, { mounts: decision.mounts, uid, isSure });
}

/** What the submission says of the request. Of a script that calls us, only what its variables say. */
function readNamed(
  call: ParsedCall | undefined,
  environment: NodeJS.ProcessEnv,
  cwd: string,
): { readonly request: UserRequest; readonly isWorkdirKnown: boolean } {
  if (call?.options.stdin === undefined) readInputWish(environment['HPCDJ_STDIN']);
  if (call !== undefined) {
    // A variable of Slurm's own, or of a prolog, may be there by then.
    const env = call.options.env?.filter((entry) => entry.includes('=') || environment[entry] !== undefined) ?? [];
    return { request: readRequest({ ...call.options, env }, call.command, environment, cwd), isWorkdirKnown: true };
  }
  const isCommandKnown = environment['COMMAND'] !== undefined;
  return {
    request: readRequest({}, isCommandKnown ? [] : ['true'], environment, cwd),
    isWorkdirKnown: (environment['JOBDIR'] ?? '') !== '',
  };
}

/** For a script that may still change its directory. */
function atVisibleDirectory(
  site: SiteConfig,
  request: UserRequest,
  hostCount: number,
  requester: Requester,
): UserRequest {
  return { ...request, workdir: findVisibleDirectory(site, { ...request, hostCount }, requester) };
}

async function findRequester({ submission, uid, gid }: SubmissionInput): Promise<Requester> {
  // A submission host that does not know the user leaves it to the hosts of the job.
  const user = await readUser(uid).then(
    (found) => inGroupOfJob(found, gid),
    () => undefined,
  );
  return requesterSoFar({ user, queue: onlyPartition(submission) });
}

/** As much as a process may have. */
const mostBytes = 2 * 1024 ** 2;

/** A pipe's bytes are Slurm's: of what is no file of its own, only what `--export` sets is known. */
async function environmentOfJob({ submission, environment }: SubmissionInput): Promise<NodeJS.ProcessEnv> {
  const { export: list, exportFile } = submission;
  if (exportFile === undefined) return exportEnvironment(environment, { list });
  const isFile = await stat(exportFile).then(
    (found) => found.isFile(),
    () => false,
  );
  const text = isFile ? await readRegularFile(exportFile, { mostBytes }).catch(() => '') : '';
  return exportEnvironment(environment, { list, file: parseExportFile(String(text)) });
}
