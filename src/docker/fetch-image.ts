import type Docker from 'dockerode';
import type {
  FetchProgress,
  ImageFetch,
  RegistryCredentials,
  RegistryQuestion,
  RemoteImage,
} from '../ports/container-engine.ts';
import { JobError } from '../values/errors.ts';
import type { ImageReference } from '../values/image-reference.ts';
import { LineSplitter } from '../system/lines.ts';
import { findJsonAs } from '../values/parse-json-as.ts';
import { callEngine } from './call-engine.ts';
import type { EngineClient, StatusMeaning } from './call-engine.ts';
import { distributionAnswerSchema, pullLineSchema } from './engine-answers.ts';
import { explainRegistryFault } from './registry-fault.ts';

/** A fetch has the deadline of its caller: the engine says nothing before the registry has answered. */
const patienceMs = 7200_000;

/** The engine's lines are short; a registry's words stand in some. */
const mostLineBytes = 64 * 1024;

/** As `ContainerEngine.findRemoteImage`. */
export async function findRemoteImage(client: EngineClient, question: RegistryQuestion): Promise<RemoteImage> {
  const { reference, credentials, signal } = question;
  const { registry, path, tag, digest } = reference;
  const name = `${registry}/${path}${digest === undefined ? `:${tag ?? ''}` : `@${digest}`}`;
  const answer = await unlessCancelled(signal, async () =>
    callEngine<unknown>(
      client,
      `ask ${registry} for an image`,
      async (over) =>
        await askEngine(client.docker, {
          path: `/distribution/${encodeURIComponent(name)}/json`,
          method: 'GET',
          statusCodes: { 200: true },
          ...authOf(registry, credentials),
          abortSignal: AbortSignal.any([over, signal]),
        }),
      { meaning: registryFaults(registry), isHurried: true },
    ),
  );
  const found = distributionAnswerSchema.safeParse(answer);
  if (!found.success) throw explainRegistryFault(registry, 'its answer has no digest');
  return { digest: found.data.Descriptor.digest, platforms: found.data.Platforms };
}

/** As `ContainerEngine.fetchImage`. */
export async function fetchImage(client: EngineClient, fetch: ImageFetch): Promise<void> {
  const { reference, digest, credentials, signal, onProgress } = fetch;
  const { registry, path } = reference;
  const stream = await unlessCancelled(signal, async () =>
    callEngine(
      client,
      `fetch an image from ${registry}`,
      async (over) => {
        const options = {
          _query: { fromImage: `${registry}/${path}`, tag: digest },
          _body: {},
          abortSignal: AbortSignal.any([over, signal]),
        };
        return await client.docker.createImage(authOf(registry, credentials).authconfig ?? {}, options);
      },
      { meaning: registryFaults(registry), isHurried: true, extraMs: patienceMs },
    ),
  );
  // The engine stops when nobody listens any more, and takes away what it has of layers that are not whole.
  const stop = (): void => {
    (stream as NodeJS.ReadableStream & { destroy(): void }).destroy();
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    await unlessCancelled(signal, async () => await readPull(stream, registry, onProgress));
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

async function readPull(
  stream: NodeJS.ReadableStream,
  registry: string,
  onProgress: (progress: FetchProgress) => void,
): Promise<void> {
  const lines = new LineSplitter({ mostBytes: mostLineBytes, longer: 'cut' });
  const layers = new LayerCount();
  try {
    for await (const bytes of stream) {
      for (const line of lines.take(bytes as Buffer)) {
        const said = findJsonAs(pullLineSchema, line.toString());
        if (said?.error !== undefined) throw explainRegistryFault(registry, said.error);
        if (said !== undefined && layers.take(said)) onProgress(layers.sum());
      }
    }
  } catch (error) {
    if (error instanceof JobError) throw error;
    throw new JobError({
      code: 'ENGINE_UNREACHABLE',
      message: 'the Docker Engine has broken off',
      hint: 'Ask the administrators to look at dockerd on this host.',
      cause: error,
    });
  }
}

/** More layers than any image has. */
const mostLayers = 4096;

/** How much of each layer is here. */
export class LayerCount {
  readonly #layers = new Map<string, FetchProgress>();

  /** True when the line tells of bytes. */
  take({ id, status, progressDetail: { current, total } = {} }: ReturnType<typeof pullLineSchema.parse>): boolean {
    if (id === undefined) return false;
    const known = this.#layers.get(id);
    if (status === 'Downloading' && current !== undefined) {
      if (known === undefined && this.#layers.size >= mostLayers) return false;
      // A registry need not say how long a layer is.
      const size = Math.max(current, total ?? 0);
      this.#layers.set(id, { bytes: current, total: size });
      return true;
    }
    if (known === undefined || (status !== 'Download complete' && status !== 'Pull complete')) return false;
    this.#layers.set(id, { bytes: known.total, total: known.total });
    return true;
  }

  sum(): FetchProgress {
    const all = [...this.#layers.values()];
    return {
      bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
      total: all.reduce((sum, { total }) => sum + total, 0),
    };
  }
}

/** A cancel is told as what it is, whatever the library makes of it. */
async function unlessCancelled<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const cancelled = Promise.withResolvers<never>();
  cancelled.promise.catch(() => undefined);
  const stop = (): void => cancelled.reject(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work(), cancelled.promise]);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Goes to the engine in a header, and from there to this registry alone. */
function authOf(
  registry: ImageReference['registry'],
  credentials: RegistryCredentials | undefined,
): { readonly authconfig?: Docker.AuthConfig } {
  if (credentials === undefined) return {};
  const serveraddress = registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry;
  return { authconfig: { ...credentials, serveraddress } };
}

/** Each status that is no success: the engine has passed on what the registry said. */
function registryFaults(registry: string): StatusMeaning<never> {
  const fail = (engineSays: string): never => {
    throw explainRegistryFault(registry, engineSays);
  };
  const statuses = [400, 401, 403, 404, 429, 500, 502, 503, 504] as const;
  return Object.fromEntries(statuses.map((status) => [status, fail]));
}

interface EngineRequest {
  readonly path: string;
  readonly method: 'GET';
  readonly statusCodes: Readonly<Record<number, true>>;
  readonly authconfig?: Docker.AuthConfig;
  readonly abortSignal: AbortSignal;
}

/** The library's own call for this takes no signal. */
async function askEngine(docker: Docker, request: EngineRequest): Promise<unknown> {
  const modem = docker.modem as { dial(request: EngineRequest, done: (error: unknown, answer: unknown) => void): void };
  return await new Promise((resolve, reject) => {
    modem.dial(request, (error, answer) => {
      if (error === null || error === undefined) resolve(answer);
      else reject(error instanceof Error ? error : new Error('the engine gave no reason'));
    });
  });
}
