import type Docker from 'dockerode';
import { callEngine } from './call-engine.ts';
import type { CallOptions, EngineClient } from './call-engine.ts';

/** State of a container by the engine's word; undefined when there is no such container. */
export function inspectContainer(
  client: EngineClient,
  container: Docker.Container,
  options: Pick<CallOptions<unknown>, 'isHurried'> = {},
): Promise<Docker.ContainerInspectInfo | undefined> {
  return callEngine<Docker.ContainerInspectInfo | undefined>(
    client,
    'look at the container',
    (abortSignal) => container.inspect({ abortSignal }),
    { meaning: { 404: () => undefined }, ...options },
  );
}
