import type { EngineClient } from './call-engine.ts';
import { inspectContainer } from './inspect-container.ts';

/**
 * The id of a container of this name that we have made and not started, known by its labels, the token of the run among
 * them: the answer to its creation was lost. Undefined when the name is another's.
 */
export async function findOwnContainer(
  client: EngineClient,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  const found = await inspectContainer(client, client.docker.getContainer(name));
  const isOurs =
    found?.State.Status === 'created' &&
    Object.entries(labels).every(([label, value]) => found.Config.Labels[label] === value);
  return isOurs ? found.Id : undefined;
}
