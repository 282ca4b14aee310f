import type { ImageReference } from '../values/image-reference.ts';

/** The Docker Engine of this host, in the project's words. All calls fail with `ENGINE_UNREACHABLE` when it is away. */
export interface ContainerEngine {
  /** Facts of a local image by reference or id; undefined when it is not present. */
  findImage(reference: string): Promise<ImageFacts | undefined>;
  /**
   * Which image a reference stands for in its registry now. Fails with `IMAGE_NOT_FETCHED` where that may pass, with
   * `IMAGE_NOT_PRESENT` and `REGISTRY_UNUSABLE` where it will not; the message is a part of a sentence.
   */
  findRemoteImage(question: RegistryQuestion): Promise<RemoteImage>;
  /**
   * Brings the image of this digest from its registry onto the host, without a tag. Fails as `findRemoteImage`, with
   * `IMAGE_UNUSABLE` for one that is made for other processors, with `HOST_UNFIT` when the disk is full, and with the reason
   * of the signal. An image that did not come whole is not there.
   */
  fetchImage(fetch: ImageFetch): Promise<void>;
  /**
   * What in the image would mislead the engine, in words; empty when nothing would, undefined when the image is not
   * present. Makes a container with this name and these labels, which is never started, and removes it.
   */
  findImageFaults(question: ImageQuestion): Promise<readonly string[] | undefined>;
  /** Creates, does not start. A container of that name that is already there is an error (`JOB_BUSY`): the name is the lock. */
  createContainer(spec: ContainerSpec): Promise<Container>;
  /** Every container of ours that carries all of these labels, running or not: by `isOwnContainer`. */
  findContainers(labels: Readonly<Record<string, string>>): Promise<readonly FoundContainer[]>;
  /** Handle of a container that another process created; whether it is there shows when it is used. */
  /** Kills and removes a container with its anonymous volumes; succeeds when it is gone already. */
  removeContainer(id: string): Promise<void>;
  /** What a container does now, and its first process on the host; undefined when it is gone. */
  findActivity(id: string): Promise<ContainerActivity | undefined>;
  /**
   * Starts a further process in a running container: with its cgroup, name spaces, capabilities, seccomp filter, limits
   * and variables, and with groups that the engine looks up once more. Fails with `NODE_LOST` when the container is
   * ending, with `HOST_UNFIT` when the engine does not start it.
   */
  enterContainer(id: string, spec: ProcessSpec): Promise<EnteredProcess>;
  /** Fails with `ENGINE_UNREACHABLE` unless the engine answers within the deadline. */
  ping(): Promise<EngineFacts>;
}

export interface EngineFacts {
  readonly version: string;
  readonly cgroupDriver: 'cgroupfs' | 'systemd' | 'none';
  readonly cgroupVersion: '1' | '2';
  readonly seccomp: boolean;
  /** Where images and containers lie on this host; undefined when it does not tell. */
  readonly rootDirectory: string | undefined;
  /** True when containers have other uids on the host than inside (`userns-remap`). */
  readonly remapsUsers: boolean;
}

export interface ImageFacts {
  /** `sha256:…` of the image's configuration: the same on every host that has the same image. */
  readonly id: string;
  readonly repoDigests: readonly string[];
  /** On the disk of the host. */
  readonly bytes?: number;
  readonly environment: readonly string[];
  readonly architecture: string;
  readonly os: string;
  /** As the image declares them (`VOLUME`), unchecked. */
  readonly volumes: readonly string[];
  /** How many ports it declares (`EXPOSE`). */
  readonly exposedPorts: number;
  /** Of all that it declares, as the engine writes it. */
  readonly configurationLength: number;
}

/** As whom a registry is asked: a name and password, or a token in their place. */
export type RegistryCredentials =
  { readonly username: string; readonly password: string } | { readonly identitytoken: string };

export interface RegistryQuestion {
  /** Registry and path, both written out, and a tag or digest. */
  readonly reference: ImageReference;
  /** Undefined: as nobody in particular. */
  readonly credentials: RegistryCredentials | undefined;
  readonly signal: AbortSignal;
}

export interface RemoteImage {
  /** `sha256:…` of its manifest, or of the list of those for several platforms. */
  readonly digest: string;
  /** Empty when the registry does not tell. */
  readonly platforms: readonly { readonly architecture: string; readonly os: string }[];
}

export interface ImageFetch extends RegistryQuestion {
  readonly digest: string;
  /** Bytes of its layers that are here, of those known so far; comes often. */
  readonly onProgress: (progress: FetchProgress) => void;
}

export interface FetchProgress {
  readonly bytes: number;
  readonly total: number;
}

export interface ImageQuestion {
  readonly imageId: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Every volume that the image declares; the engine is kept from making them. */
  readonly volumes: readonly string[];
  /** All that will be mounted in the container but what the engine mounts of its own accord. */
  readonly places: readonly ImageMountPlace[];
}

/** Where something will be mounted over the image. */
export interface ImageMountPlace {
  readonly target: string;
  readonly kind: 'directory' | 'file';
  /** Who chose the target; users can change what lies below the site's. */
  readonly owner: 'engine' | 'ours' | 'site' | 'image';
  /** An empty file system that the engine makes for this container, below which the site and the image may have mounts. */
  readonly isFresh: boolean;
}

export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** A single file; else a directory. */
  readonly isFile?: boolean;
}

export interface ContainerSpec {
  readonly name: string;
  readonly imageId: string;
  readonly hostname: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly uid: number;
  readonly gid: number;
  readonly supplementaryGids: readonly number[];
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly mounts: readonly Mount[];
  /** tmpfs mounts, owned by the container's user. */
  readonly tmpfs: readonly {
    readonly target: string;
    readonly bytes: number;
    readonly mode: string;
    readonly executable: boolean;
  }[];
  /** Character devices of the host that it may read and write, each at its own path. */
  readonly devices?: readonly string[];
  /** What the engine gives it: nothing, a driver of ours does. */
  readonly network: { readonly kind: 'none' };
  readonly cgroupParent?: string | undefined;
  readonly shmBytes: number;
  readonly pidsMax: number;
  /** -1 = unlimited. `core` is what a process may ask for; it begins with 0. */
  readonly ulimits: {
    readonly memlock: number;
    readonly stack: number;
    readonly nofile: number;
    readonly core: number;
  };
  readonly memoryBytes?: number | undefined;
  /** The same limit as the cgroup above has: what runs inside sees it. Swap is left to that cgroup. */
  readonly sharedMemoryBytes?: number | undefined;
  /** The only processors that it may use, as the kernel lists them: `0-1,4`. */
  readonly cpuset?: string | undefined;
  /** Processor time per second; undefined = all that the cgroup has. */
  readonly cpus?: number | undefined;
  readonly readOnlyRoot: boolean;
}

/**
 * Streams of a container's standard output and error, already separated; both end when the container does. They outlive
 * a restart of the engine, but for what is written meanwhile.
 */
export interface ContainerOutput {
  readonly stdout: NodeJS.ReadableStream;
  readonly stderr: NodeJS.ReadableStream;
}

export interface Container {
  readonly id: string;
  /** To be called before `start`, or output is lost. `onGap` is called when some was lost although the container goes on. */
  attachOutput(onGap?: () => void): Promise<ContainerOutput>;
  /** Starts it and returns what runs then. */
  start(): Promise<StartedContainer>;
  /** Resolves when it has ended, however it was started; survives a dropped connection by asking again. */
  waitForEnd(signal: AbortSignal): Promise<ContainerEnd>;
  /** TERM, then KILL after `graceSeconds`; succeeds when it is not running. */
  stop(graceSeconds: number): Promise<void>;
  pause(): Promise<void>;
  unpause(): Promise<void>;
  remove(): Promise<void>;
}

export interface StartedContainer {
  /** Of its first process, on the host. */
  readonly pid: number;
  readonly networkNamespacePath: string;
  /** Directory of the host with what it writes into its image's file system; undefined where that cannot be told. */
  readonly writableLayer: string | undefined;
}

export interface ContainerEnd {
  readonly exitStatus: number;
  readonly outOfMemory: boolean;
}

export interface FoundContainer {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly running: boolean;
}

export interface ContainerActivity {
  readonly kind: 'running' | 'paused' | 'ended';
  /** Of its first process, on the host; 0 once it has ended. */
  readonly pid: number;
}

/** A process that is started in a container which runs already. */
export interface ProcessSpec {
  readonly argv: readonly string[];
  readonly uid: number;
  readonly gid: number;
  /** True for a terminal as its input and both outputs, false for three pipes. */
  readonly isTerminal: boolean;
}

export interface EnteredProcess {
  /** On the host. It leads a session of its own. */
  readonly pid: number;
  /** Its standard input; ending it is its end of file. */
  readonly input: NodeJS.WritableStream;
  /** Of a terminal both outputs are one, the first. */
  readonly output: ContainerOutput;
  /** Of its terminal, in characters. */
  readonly resize: (size: { readonly columns: number; readonly rows: number }) => Promise<void>;
  /** Undefined while it runs, and when the engine does not know any more. */
  readStatus(): Promise<number | undefined>;
  /** Takes nothing more of it. It goes on. */
  release(): void;
}
