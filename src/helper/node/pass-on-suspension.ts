import type { Container } from '../../ports/container-engine.ts';
import { asJobError } from '../../shared/errors.ts';
import type { NodePhase } from '../../shared/helper-events.ts';
import { followSuspension } from '../follow-suspension.ts';
import type { HelperContext } from '../open-context.ts';
import type { OwnNode } from '../own-node.ts';
import { report } from '../own-node.ts';

/**
 * Suspension by the scheduler reaches this process, not the container: passed on as pause and unpause. Meanwhile PHASE
 * hangs on no lease, since this process cannot renew one.
 */
export function passOnSuspension(context: HelperContext, own: OwnNode, container: Container): Disposable {
  const phase = (): NodePhase => {
    if (own.life.lease === undefined) return 'suspended';
    if ('start' in own.stepTimesMs) return 'running';
    return 'ready' in own.stepTimesMs ? 'ready' : 'discovering';
  };
  const hold = async (): Promise<void> => await report(own, { PHASE: phase() });
  return followSuspension(
    {
      suspend: async () => void (await Promise.all([container.pause(), own.life.suspend(hold)])),
      resume: async () => void (await Promise.all([container.unpause(), own.life.resume(hold)])),
    },
    (error) =>
      context.audit.record('suspension-failed', {
        job: own.plan.job,
        node: own.node.index,
        message: asJobError(error).message,
      }),
  );
}
