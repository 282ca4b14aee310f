import { readdir, readFile, readlink } from 'node:fs/promises';
import { JobError } from '../../values/errors.ts';
import { leaveEarlierRuns } from '../job/earlier-runs.ts';
import type { HelperContext } from '../open-context.ts';
import { readProcess } from '../host/read-process.ts';
import type { ProcessFacts } from '../host/read-process.ts';
import { unmarkDeadKeepers } from '../host/run-directory.ts';
import { releaseHere } from '../release/release-here.ts';
import type { OwnNode } from './own-node.ts';
import { retryUntil } from '../../system/retry-until.ts';

const lookEveryMs = 200;

/** These find what they take away by the job's id alone. */
const releasing: readonly string[] = ['reap', 'release-node', 'release-job'];

/**
 * Takes away what an earlier run of this job has on this host, before anything of ours is made here. Whoever may still be
 * at that (its run-node, an epilog, a timer) has ended when this returns: what begins later sees our run in the store.
 * Fails with `JOB_BUSY` when something is left.
 */
export async function clearEarlierRun(
  context: HelperContext,
  { plan, node, site, jobStore, told }: OwnNode,
): Promise<void> {
  const patienceMs = (site.deadlines.stopSeconds + site.deadlines.releaseSeconds) * 1000;
  let left = await listOthersAtWork(plan.job, plan.user.uid);
  const areGone = async (): Promise<true | undefined> => {
    if (left.length > 0) left = await findStillThere(left);
    return left.length === 0 ? true : undefined;
  };
  await retryUntil(areGone, { pauseMs: lookEveryMs, deadlineMs: patienceMs, signal: told });
  const leftovers =
    left.length > 0
      ? left.map(({ pid, argv }) => `process ${pid} (${argv.slice(-3).join(' ').slice(0, 80)}) is still at work`)
      : await releaseHere(context, plan.job);
  context.audit.record('earlier-run-cleared', { job: plan.job, node: node.index, leftovers });
  if (leftovers.length > 0) {
    throw new JobError({
      code: 'JOB_BUSY',
      message: `An earlier run of job ${plan.job} has left something on host ${node.host}: ${leftovers.join('; ')}.`,
      hint: 'Safe to submit again once it is gone.',
    });
  }
  await unmarkDeadKeepers(plan.job);
  await leaveEarlierRuns(jobStore);
}

/** Helpers of root's that may take something of this job away, or hold it; those of this run have begun nothing yet. */
async function listOthersAtWork(job: string, ownerUid: number): Promise<readonly ProcessFacts[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const facts = await Promise.all(pids.map(async (pid) => await readProcess(pid)));
  const atWork = facts.filter((found) => found !== undefined).filter((found) => isAtWork(found, job));
  const calls = await Promise.all(atWork.map(async ({ pid }) => await readCall(pid)));
  return atWork.filter((_, index) => mayTakeAway(calls[index], ownerUid));
}

/** A process of root's by the kernel's word: which program it is, and the caller as sudo has named them. */
export interface HelperCall {
  readonly program: string;
  /** Undefined for root's own calls. */
  readonly sudoUid: string | undefined;
}

async function readCall(pid: number): Promise<HelperCall | undefined> {
  try {
    const [program, environment] = await Promise.all([
      readlink(`/proc/${pid}/exe`),
      readFile(`/proc/${pid}/environ`, 'utf8'),
    ]);
    const variable = environment.split('\0').find((word) => word.startsWith('SUDO_UID='));
    return { program, sudoUid: variable?.slice('SUDO_UID='.length) };
  } catch {
    return undefined; // it ends right now, or begins: who it is for is not known, so it is waited for
  }
}

/**
 * Everybody may call the helper for any job, and is refused before anything is taken away unless the job is theirs: nobody
 * waits for a call of another user. What is not Node has words that a user may have chosen.
 */
export function mayTakeAway(call: HelperCall | undefined, ownerUid: number): boolean {
  if (call === undefined) return true;
  if (!/\/node(?: \(deleted\))?$/.test(call.program)) return false;
  return call.sudoUid === undefined || call.sudoUid === '0' || call.sudoUid === String(ownerUid);
}

function isAtWork({ pid, uids, argv }: ProcessFacts, job: string): boolean {
  const program = argv.findIndex((word) => word.endsWith('/dist/helper.cjs'));
  const [verb = '', subject] = program === -1 ? [] : argv.slice(program + 1);
  const isOfRoot = uids.length === 4 && uids.every((uid) => uid === '0');
  if (!isOfRoot || pid === process.pid) return false;
  const isOfAnother = subject !== undefined && !subject.startsWith('-') && subject !== job;
  return (releasing.includes(verb) && !isOfAnother) || (verb === 'run-node' && subject === job);
}

async function findStillThere(processes: readonly ProcessFacts[]): Promise<readonly ProcessFacts[]> {
  const now = await Promise.all(processes.map(async ({ pid }) => await readProcess(pid)));
  return processes.filter((one, index) => now[index]?.startTicks === one.startTicks && now[index].state !== 'Z');
}
