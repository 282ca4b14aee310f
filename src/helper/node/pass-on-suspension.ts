import type { Container } from '../../ports/container-engine.ts';
import { allOrNone } from '../../system/all-or-none.ts';
import { asJobError } from '../../values/errors.ts';
import type { NodePhase } from '../../contract/helper-events.ts';
import { trackSuspension } from '../job/follow-suspension.ts';
import type { Suspension, SuspensionActions } from '../job/follow-suspension.ts';
import type { HelperContext } from '../open-context.ts';
import { report } from './own-node.ts';
import type { WatchGuard } from './guard-watch.ts';
import type { OwnNode } from './own-node.ts';
import { persistUntil } from '../job/persist-until.ts';

/**
 * A suspension of this node: its container stands still, or goes on, and PHASE says so. The guard of its disk knows, too,
 * since this process may be stopped meanwhile.
 */
export function passOnSuspension(
  context: HelperContext,
  own: OwnNode,
  paused: Paused,
  guard?: Pick<WatchGuard, 'sleep' | 'wake'>,
): Suspension {
  const container = guard === undefined ? paused : guarded(paused, guard);
  let isPaused = false;
  const phase = (): NodePhase => {
    if (isPaused) return 'suspended';
    if ('start' in own.stepTimesMs) return 'running';
    return 'ready' in own.stepTimesMs ? 'ready' : 'discovering';
  };
  const tell = async (): Promise<void> => await report(own, { PHASE: phase() });
  const actions = own.signalsByStore ? confirmed(container, tell) : hurried(own, container, tell);
  return trackSuspension(
    {
      suspend: async (superseded) => {
        isPaused = true;
        await actions.suspend(superseded);
      },
      resume: async (superseded) => {
        isPaused = false;
        await actions.resume(superseded);
      },
    },
    (error) =>
      context.audit.record('suspension-failed', {
        job: own.plan.job,
        node: own.node.index,
        message: asJobError(error).message,
      }),
  );
}

type Paused = Pick<Container, 'pause' | 'unpause'>;

function guarded(container: Paused, guard: Pick<WatchGuard, 'sleep' | 'wake'>): Paused {
  return {
    pause: async () => {
      await container.pause();
      await guard.sleep();
    },
    unpause: async () => {
      guard.wake();
      await container.unpause();
    },
  };
}

/** This process goes on, and its lease with it: PHASE says what has been done; those who wait for it look there. */
function confirmed(container: Paused, tell: () => Promise<void>): SuspensionActions {
  return {
    suspend: async (superseded) => {
      await container.pause();
      await persistUntil(superseded, tell);
    },
    resume: async (superseded) => {
      await container.unpause();
      await persistUntil(superseded, tell);
    },
  };
}

/** This process will be stopped in a moment. Meanwhile PHASE hangs on no lease, since nobody renews one. */
function hurried({ life }: OwnNode, container: Paused, tell: () => Promise<void>): SuspensionActions {
  return {
    suspend: async (superseded) => void (await allOrNone([container.pause(), life.suspend(tell, superseded)])),
    resume: async (superseded) => void (await allOrNone([container.unpause(), life.resume(tell, superseded)])),
  };
}
