/** One row of the table: an action with a deadline, and how it ended. */
import { describeFailure } from '../lab-error.ts';
import { within } from './deadline.ts';
import type { Host } from './guest.ts';
import { recordState } from './record-state.ts';
import type { Verdict } from './verdicts.ts';

/** Where rows go, and what guests show after a red one. */
export interface Court {
  readonly machine: string;
  /** Where files about red rows go. */
  readonly factsDir: string;
  readonly report: (verdict: Verdict) => Promise<void>;
  /** The guests that are up. */
  readonly hosts: () => readonly Host[];
}

/** Reports the action's end as a row; true when it is green. What the action returns is the row's remark. */
export async function judge(
  { machine, factsDir, report, hosts }: Court,
  name: string,
  seconds: number,
  action: (signal: AbortSignal) => Promise<string>,
): Promise<boolean> {
  const startedAt = performance.now();
  const outcome = await within(seconds, action).then(
    (reason) => ({ isGreen: true, reason }),
    (error: unknown) => ({ isGreen: false, reason: describeFailure(error) }),
  );
  await report({ machine, name, seconds: (performance.now() - startedAt) / 1000, ...outcome });
  if (!outcome.isGreen && hosts().length > 0) await recordState(hosts(), factsDir, `${machine}-${name}`);
  return outcome.isGreen;
}
