import { Agent } from 'node:http';
import Docker from 'dockerode';
import type { Container, ContainerEngine, ContainerSpec, EngineFacts, ImageFacts } from '../ports/container-engine.ts';
import { JobError } from '../values/errors.ts';
import { callEngine } from './call-engine.ts';
import type { EngineClient } from './call-engine.ts';
import { imageAnswerSchema, infoAnswerSchema } from './engine-answers.ts';
import { controlContainer, findActivity, removeContainer } from './control-container.ts';
import { enterContainer } from './enter-container.ts';
import { findImageFaults } from './examine-image.ts';
import { fetchImage, findRemoteImage } from './fetch-image.ts';
import { explainTakenName, findContainers } from './find-own-objects.ts';
import { findOwnContainer } from './find-own-container.ts';
import { describeCreateOptions } from './describe-create-options.ts';
import { inBody } from './in-body.ts';

export interface EngineOptions {
  readonly socketPath: string;
  /** Deadline of one call; a create or a start on a busy host takes seconds. */
  readonly callTimeoutMs?: number;
  /** How long a running container outlives an engine that is away; default: an hour. */
  readonly absenceMs?: number;
  /** How long calls are tried again since the engine went away; default: not at all. */
  readonly retryMs?: number;
}

/** The Docker Engine behind a Unix socket. Opens no connection yet; every call has a deadline of its own. */
export function connectEngine(options: EngineOptions): ContainerEngine {
  const { socketPath, callTimeoutMs = 30_000, absenceMs = 3_600_000, retryMs = 0 } = options;
  const patience = { callTimeoutMs, absenceMs, retryMs, absence: { since: undefined } };
  const client: EngineClient = { docker: openClient(socketPath), socketPath, ...patience };
  return {
    findImage: (reference) => findImage(client, reference),
    findRemoteImage: (question) => findRemoteImage(client, question),
    fetchImage: (fetch) => fetchImage(client, fetch),
    findImageFaults: (question) => findImageFaults(client, question),
    createContainer: (spec) => createContainer(client, spec),
    findContainers: (labels) => findContainers(client, labels),
    removeContainer: (id) => removeContainer(client, id),
    findActivity: (id) => findActivity(client, id),
    enterContainer: (id, spec) => enterContainer(client, id, spec),
    ping: () => readEngineFacts(client),
  };
}

function openClient(socketPath: string): Docker {
  const options = {
    socketPath,
    // The library would follow DOCKER_HOST and its kin out of the environment.
    host: undefined,
    port: undefined,
    protocol: 'http' as const,
    // A kept connection would be dead after a restart of dockerd, and the first call with it.
    agent: new Agent({ keepAlive: false }),
  };
  return new Docker(options);
}

async function findImage(client: EngineClient, reference: string): Promise<ImageFacts | undefined> {
  const answer = await callEngine<unknown>(
    client,
    `look up image ${reference}`,
    // The name becomes part of the request's path.
    () => client.docker.getImage(encodeURIComponent(reference)).inspect(),
    { meaning: { 404: () => undefined } },
  );
  if (answer === undefined) return undefined;
  const image = imageAnswerSchema.parse(answer);
  return {
    id: image.Id,
    repoDigests: image.RepoDigests,
    bytes: image.Size,
    environment: image.Config?.Env ?? [],
    architecture: image.Architecture,
    os: image.Os,
    volumes: image.Config?.Volumes ?? [],
    exposedPorts: image.Config?.ExposedPorts.length ?? 0,
    configurationLength: JSON.stringify(image.Config ?? {}).length,
  };
}

async function createContainer(client: EngineClient, spec: ContainerSpec): Promise<Container> {
  const options = await describeCreateOptions(spec);
  let tries = 0;
  const created = await callEngine<{ readonly id: string } | undefined>(
    client,
    `create container ${spec.name}`,
    (abortSignal) => {
      tries += 1;
      return client.docker.createContainer(inBody(options, abortSignal));
    },
    { meaning: { 404: refuseImage(spec), 409: () => undefined } },
  ).catch(explainParent);
  // The name is the lock, unless a try of ours has taken it and not heard so.
  const own = tries > 1 ? await findOwnContainer(client, spec.name, spec.labels) : undefined;
  const id = created?.id ?? own;
  if (id === undefined) throw await explainTakenName(client, spec.name);
  return controlContainer(client, id, spec);
}

/** Docker's default driver on cgroup v2 takes no parent but a slice of systemd's: the job's user hears what to ask for. */
function explainParent(error: unknown): never {
  if (error instanceof JobError && error.hint === undefined && /cgroup-parent for systemd/i.test(error.message))
    throw new JobError({
      code: error.code,
      message: `${error.message} The Docker Engine of this host has the cgroup driver systemd, so no container can live below a job's cgroup.`,
      hint: 'Administrators: put "exec-opts": ["native.cgroupdriver=cgroupfs"] into daemon.json, or set scheduler.requireJobCgroup: false.',
    });
  throw error;
}

function refuseImage(spec: ContainerSpec): (engineSays: string) => never {
  return (engineSays) => {
    throw new JobError({
      code: 'IMAGE_NOT_PRESENT',
      message: `Could not create ${spec.name}: image ${spec.imageId} is not present on this host (${engineSays}).`,
      hint: 'Ask the administrators to load the same image on every host.',
    });
  };
}

async function readEngineFacts(client: EngineClient): Promise<EngineFacts> {
  const answer = await callEngine<unknown>(client, 'ask for its facts', () => client.docker.info() as Promise<unknown>);
  const info = infoAnswerSchema.parse(answer);
  const seccomp = info.SecurityOptions.find((option) => option.startsWith('name=seccomp'));
  return {
    version: info.ServerVersion,
    cgroupDriver: info.CgroupDriver,
    cgroupVersion: info.CgroupVersion,
    seccomp: seccomp !== undefined && !seccomp.includes('unconfined'),
    rootDirectory: info.DockerRootDir,
    remapsUsers: info.SecurityOptions.some((option) => option.startsWith('name=userns')),
  };
}
