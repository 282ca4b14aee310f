import type { Lease, Store } from '../../ports/store.ts';
import { JobError } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import { controlRange, jobFieldKey, jobRange } from '../../contract/kvs-keys.ts';
import type { JobState } from '../job/job-state.ts';
import { parseJobState } from '../job/job-state.ts';
import { ownCommand } from '../caller/own-command.ts';

/** Writes the plan and FINISH=FALSE unless the job is open already; afterwards the job is ours. */
export async function claimJob(
  store: Store,
  prefix: string,
  plan: JobPlan,
  lease: Lease,
  claims: AsyncDisposableStack,
): Promise<void> {
  const planKey = jobFieldKey(prefix, plan.job, 'PLAN');
  const finishKey = jobFieldKey(prefix, plan.job, 'FINISH');
  const text = JSON.stringify(plan);
  claims.defer(async () => {
    // The claim may have been carried out although its answer was lost.
    await store.commit({
      conditions: [{ kind: 'value', key: planKey, equals: text }],
      deletes: [jobRange(prefix, plan.job)],
    });
  });
  const isOurs = await store.commit({
    conditions: [
      { kind: 'absent', key: planKey },
      { kind: 'absent', key: finishKey },
    ],
    puts: [
      { key: planKey, value: text },
      { key: finishKey, value: 'FALSE', lease },
    ],
  });
  if (isOurs) return;
  const state = parseJobState(prefix, plan.job, await store.read(controlRange(prefix, plan.job)));
  if (state.plan?.token === plan.token) return; // a retried claim met its own success
  refuseBusy(state, plan.job);
  throw new JobError({ code: 'BUG', message: `Job ${plan.job} could not be claimed although nobody has it.` });
}

/** Fails with `JOB_BUSY` when the job is open, or has keys of an earlier run. */
export function refuseBusy(state: JobState, job: JobKey): void {
  if (state.plan === undefined && state.finish === 'absent') return;
  const isRunning = state.finish === 'running';
  throw new JobError({
    code: 'JOB_BUSY',
    message: isRunning
      ? `Job ${job} is running in containers already, opened at ${state.plan?.openedAt ?? '?'}.`
      : `Job ${job} has left keys of an earlier run in the store.`,
    hint: isRunning
      ? 'One call of hpc-submit-dockerjob at a time: let the first one end.'
      : `Wait until its clean-up has ended, or release it: sudo ${ownCommand(process.env['HPCDJ_HELPER'])} release-job ${job}`,
  });
}
