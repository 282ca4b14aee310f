import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { defaultSitePath, loadSite } from '../../../config/load-site.ts';
import type { SiteConfig } from '../../../config/site-schema.ts';
import type { Wanted } from '../../../lsf/esub/decide-submission.ts';
import { readAllocation } from '../../../lsf/read-allocation.ts';
import { chooseImage } from '../../../lsf/starter/choose-image.ts';
import { asJobError, exitStatus, exitStatusOf, JobError } from '../../../values/errors.ts';
import type { JobEnd } from '../../../contract/helper-events.ts';
import type { StarterOptions } from '../../verbs/request-options.ts';
import { queueDefaultOf } from '../run-esub.ts';
import { abortValue, isRefusal } from '../run-pre-exec.ts';
import { findHolderSocket } from './held-job.ts';
import { adoption, holderWordSchema } from './holder-word.ts';
import { dismissHeldJob } from './join-held-job.ts';
import { parseJsonAs } from '../../../values/parse-json-as.ts';

export interface PrologueInput {
  /** As of `starter`: for jobs that name nothing themselves. */
  readonly options: StarterOptions;
  readonly environment: NodeJS.ProcessEnv;
  readonly uid: number;
  readonly sitePath?: string | undefined;
  /** The command line of a process that holds the job. */
  readonly holdCommand: readonly [string, ...string[]];
  readonly say: (line: string) => void;
  /** Default: /tmp. */
  readonly parent?: string;
  /** Beyond the deadlines of the job's phases; default: half a minute. */
  readonly slackMs?: number;
}

/** The phases end by themselves: this is for a holder that stands still. */
const usualSlackMs = 30_000;

/** What is to be held for a job, or nothing: its site starts jobs by their script, or it has no image. */
export async function findHeldImage({
  options,
  environment,
  sitePath,
}: Pick<PrologueInput, 'options' | 'environment' | 'sitePath'>): Promise<
  { readonly site: SiteConfig; readonly wanted: Wanted } | undefined
> {
  const site = await loadSite(sitePath ?? defaultSitePath, { mustBeTrusted: false });
  if (site.lsf.start !== 'prologue') return undefined;
  const wanted = chooseImage({ options, environment, queueDefault: queueDefaultOf(site) });
  return wanted === undefined ? undefined : { site, wanted };
}

/**
 * Starts the containers of a job before its script, from LSF's pre-execution. 0: all of them are ready, or the script can
 * as well start them itself and will say what is wrong. Else as `pre-exec`: 99 cancels the job, 69 is a fault of this
 * host (of a job with one host), 75 of something that may be back soon. 130 and 143: it was interrupted. Whatever it is, with another status than 0
 * nothing of the job is left.
 */
export async function runPrologue(input: PrologueInput): Promise<number> {
  const { environment, uid, say } = input;
  try {
    const held = await findHeldImage(input);
    if (held === undefined) return 0;
    const { deadlines, images } = held.site;
    const releaseMs = (deadlines.stopSeconds + deadlines.releaseSeconds) * 1000 + (input.slackMs ?? usualSlackMs);
    const { job, hosts } = readAllocation(environment);
    const socket = await findHolderSocket(uid, job, input.parent);
    // Another pre-execution command may have failed after us, and LSF tries again.
    if (socket !== undefined) await dismissHeldJob(socket, releaseMs);
    const fetchSeconds = images.pull === 'never' ? 0 : images.fetchSeconds;
    const startSeconds = deadlines.openSeconds + fetchSeconds + deadlines.startSeconds + deadlines.discoverSeconds;
    const startMs = startSeconds * 1000 + releaseMs;
    const end = await startHolder(input.holdCommand, startMs);
    if (end === undefined) return 0;
    if (end.by === 'middleware') say(JobError.fromWire(end).toLine());
    return judge(end, hosts.length, environment);
  } catch (thrown) {
    const error = asJobError(thrown);
    say(error.toLine());
    return judge({ by: 'middleware', code: error.code, message: '', exitStatus: error.exitStatus }, 1, environment);
  }
}

/** Of the whole cluster, or over in a moment: no other host would be better off. */
const passing: readonly string[] = ['STORE_UNREACHABLE', 'STORE_FULL', 'SCHEDULER_UNREACHABLE'];
/** Of this host. */
const ofHost: readonly string[] = ['ENGINE_UNREACHABLE', 'HELPER_UNAVAILABLE', 'HOST_UNFIT'];

function judge(end: JobEnd, hostCount: number, environment: NodeJS.ProcessEnv): number {
  const code = end.by === 'middleware' ? end.code : '';
  if (isRefusal(code)) return abortValue(environment);
  // LSF bars the first host for 69, which `pre-exec` has just found fit: of several another one may be meant.
  if (ofHost.includes(code)) return hostCount === 1 ? exitStatus.unavailable : exitStatus.temporary;
  if (passing.includes(code) || end.exitStatus === exitStatus.temporary) return exitStatus.temporary;
  if (code === 'INTERRUPTED' || code === 'TERMINATED') return end.exitStatus;
  // The starter meets the same, and tells the user in the job's own output.
  return 0;
}

type Holder = ChildProcessByStdio<Writable, Readable, null>;
const ending = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Resolves when the job is held, to nothing, or to its end. What ends this process before ends the job. */
async function startHolder(
  [file, ...argv]: readonly [string, ...string[]],
  deadlineMs: number,
): Promise<JobEnd | undefined> {
  // In a session of its own: it stays when this process, and LSF's signals to its group, are through.
  const child = spawn(file, argv, { detached: true, stdio: ['pipe', 'pipe', 'ignore'] });
  child.on('error', () => undefined); // its output ends
  child.stdin.on('error', () => undefined); // so does what it says
  const interrupted = new AbortController();
  const interrupt = (signal: NodeJS.Signals): void => {
    interrupted.abort(signal);
    child.stdin.end();
  };
  for (const signal of ending) process.on(signal, interrupt);
  try {
    const end = await awaitWord(child, interrupted.signal, deadlineMs);
    return interrupted.signal.aborted ? interruptedBy(interrupted.signal.reason as NodeJS.Signals) : end;
  } finally {
    for (const signal of ending) process.removeListener(signal, interrupt);
    child.stdin.destroy();
    child.stdout.destroy();
    child.unref();
  }
}

async function awaitWord(
  { stdin, stdout }: Holder,
  interrupted: AbortSignal,
  deadlineMs: number,
): Promise<JobEnd | undefined> {
  const lines = createInterface({ input: stdout });
  using timers = new DisposableStack();
  timers.adopt(
    setTimeout(() => lines.close(), deadlineMs),
    clearTimeout,
  );
  for await (const line of lines) {
    const word = parseJsonAs(holderWordSchema, line);
    if ('ended' in word) return word.ended;
    if (interrupted.aborted) continue;
    await new Promise<void>((resolve) => stdin.end(`${adoption}\n`, resolve));
    return undefined;
  }
  throw new JobError({
    code: 'HELPER_LOST',
    message: 'The process that was to hold the job has died, or hangs.',
    hint: 'LSF tries again.',
  });
}

function interruptedBy(signal: NodeJS.Signals): JobEnd {
  const code = signal === 'SIGINT' ? 'INTERRUPTED' : 'TERMINATED';
  return { by: 'middleware', code, message: `Interrupted (${signal}).`, exitStatus: exitStatusOf(code) };
}
