import type { OwnNode } from './own-node.ts';
import { findKeys } from './find-peers.ts';
import type { AgentLink } from './serve-agent.ts';

/** More nodes than these are not asked for one by one: what a container may cause in the store has an end. */
const mostSingle = 8;

/**
 * The link without the agent's questions for keys, which are answered on the way: a few nodes one by one, each once, then all
 * of them, once.
 */
export function answerAsks(own: OwnNode, link: AgentLink): AgentLink {
  const asked = new Set<number | undefined>();
  const answer = async (wanted: number | undefined): Promise<void> => {
    if (wanted !== undefined && wanted >= own.plan.nodes.length) return;
    const index = asked.size < mostSingle ? wanted : undefined;
    if (asked.has(index) || asked.has(undefined)) return;
    asked.add(index);
    const peers = await findKeys(own, index);
    if (peers !== undefined) link.send({ type: 'keys', peers: [...peers] });
  };
  return {
    ...link,
    receive: async () => {
      for (;;) {
        const message = await link.receive();
        if (message?.type !== 'ask') return message;
        answer(message.index).catch(() => undefined); // the agent waits no longer than for a login
      }
    },
  };
}
