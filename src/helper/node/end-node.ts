import { asJobError } from '../../values/errors.ts';
import type { JobError } from '../../values/errors.ts';
import { keyOnly } from '../../contract/kvs-keys.ts';
import type { HelperContext } from '../open-context.ts';
import type { OwnNode } from './own-node.ts';
import { reached, report, usageOf } from './own-node.ts';
import { reportReleased } from '../job/report-released.ts';
import { releaseHere } from '../release/release-here.ts';
import { forgetJobHere } from '../host/run-directory.ts';

/** Writes what went wrong to the node's ERROR key: the keeper ends the job by it. */
export async function reportTrouble(context: HelperContext, own: OwnNode, error: JobError): Promise<void> {
  process.exitCode = error.exitStatus;
  context.audit.record('node-failed', {
    job: own.plan.job,
    node: own.node.index,
    code: error.code,
    rule: error.rule,
    message: error.message,
  });
  const text =
    [`${error.code}:`, error.message, error.hint].filter(Boolean).join(' ').slice(0, 2000) + ruleWords(error);
  await report(own, { ERROR: text, PHASE: 'failed', ...usageOf(own) }).catch(async (untold: unknown) => {
    process.stderr.write(`hpc-dockerjob-helper: ${error.toLine()}\n`);
    // A full store still deletes: without a PHASE the node is lost, and the keeper ends the job.
    if (asJobError(untold).code === 'STORE_FULL') await dropPhase(own).catch(() => undefined);
  });
}

/** Last, where the keeper finds the rule again. */
function ruleWords({ rule }: JobError): string {
  return rule === undefined ? '' : ` (site.yaml ${rule.slice(0, 600)})`;
}

async function dropPhase({ jobStore, node }: OwnNode): Promise<void> {
  await jobStore.store.commit({ deletes: [keyOnly(jobStore.nodeKey(node.index, 'PHASE'))] });
}

/** Takes away all of the job that is on this host, and says so in the store. */
export async function releaseAndReport(context: HelperContext, own: OwnNode): Promise<void> {
  const scope = { nodeIndex: own.node.index, network: own.plan.network.driver };
  const leftovers = await releaseHere(context, own.plan.job, scope);
  reached(own, 'released');
  const stepTimesMs = Object.entries(own.stepTimesMs).map(([step, ms]) => `${step} ${ms}`);
  const { usage } = own;
  context.audit.record('node-released', { job: own.plan.job, node: own.node.index, leftovers, stepTimesMs, ...usage });
  if (leftovers.length === 0) {
    // Not told: the trace stays, and by it the epilog or `reap` tells the store later.
    const told = await reportReleased(own.jobStore, own.node.index).then(
      () => true,
      () => false,
    );
    if (told) await forgetJobHere(own.plan.job);
  } else process.stderr.write(`hpc-dockerjob-helper: left behind on ${own.node.host}: ${leftovers.join('; ')}\n`);
}
