import { isOwnContainer } from '../contract/own-objects.ts';
import { labels } from '../contract/labels.ts';
import type { FoundContainer } from '../ports/container-engine.ts';
import { JobError } from '../values/errors.ts';
import { callEngine } from './call-engine.ts';
import type { EngineClient } from './call-engine.ts';

type Wanted = Readonly<Record<string, string | undefined>>;

/** The engine joins several label filters by "and". What bears no job is none of ours. */
function toFilter(wanted: Wanted): { label: string[] } {
  const all: Wanted = { [labels.job]: undefined, ...wanted };
  return { label: Object.entries(all).map(([name, value]) => (value === undefined ? name : `${name}=${value}`)) };
}

/** Containers of ours with these labels; what others have started and labelled as we do is left out. */
export async function findContainers(client: EngineClient, wanted: Wanted): Promise<readonly FoundContainer[]> {
  const found = await callEngine(client, 'list containers', (abortSignal) =>
    client.docker.listContainers({ all: true, filters: toFilter(wanted), abortSignal }),
  );
  return found.flatMap(({ Id: id, Names, Labels, Mounts, State }) => {
    const name = Names[0]?.replace(/^\//, '') ?? '';
    const mounts = Mounts.map(({ Type, Source, Destination }) => ({ type: Type, source: Source, target: Destination }));
    if (!isOwnContainer({ name, labels: Labels, mounts })) return [];
    return { id, name, labels: Labels, running: ['running', 'paused', 'restarting'].includes(State) };
  });
}

/** Why the name cannot be had: the job's own earlier run, which goes away, or a container of somebody else. */
export async function explainTakenName(client: EngineClient, name: string): Promise<JobError> {
  const isOurs = (await findContainers(client, {})).some((container) => container.name === name);
  return new JobError({
    code: isOurs ? 'JOB_BUSY' : 'HOST_UNFIT',
    message: `A container named ${name} is already on this host${isOurs ? '' : ', and hpc-submit-dockerjob did not make it'}.`,
    hint: isOurs
      ? 'It belongs to an earlier run of the same job; it goes away when that run is released.'
      : 'Ask the administrators to rename or remove it.',
  });
}
