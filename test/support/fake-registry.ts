import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

/** What the registry does wrong, until it is told otherwise. */
export interface RegistryFault {
  /** Which requests; default: all of them. */
  readonly of?: 'manifest' | 'blob';
  /** This status instead of an answer. */
  readonly status?: number;
  /** The connection ends in the middle of the answer. */
  readonly cut?: boolean;
  /** The answer is one of other bytes. */
  readonly corrupt?: boolean;
  /** Bytes come at this pace, per second. */
  readonly bytesPerSecond?: number;
  /** Blobs are looked for at this address. */
  readonly redirectTo?: string;
  /** For so many requests only. */
  readonly times?: number;
}

/** What is in it, under `app`. */
export interface FakeRegistryOptions {
  /** `user:password` that it asks for. */
  readonly credentials?: string;
  readonly architecture?: string;
  /** Of the image's only layer, all but incompressible. */
  readonly layerBytes?: number;
  /** A busybox in the image, so that jobs can run in it. */
  readonly hasShell?: boolean;
  /** What it listens on, and as whom; default: loopback, without TLS. */
  readonly at?: {
    readonly name: string;
    readonly address: string;
    readonly certificateFile: string;
    readonly keyFile: string;
  };
}

/** A registry of one image on the "host" of a test's engine, which breaks as it is told. */
export interface FakeRegistry extends AsyncDisposable {
  /** `127.0.0.1:5000/app` */
  readonly repository: string;
  readonly digest: string;
  /** Of its only layer. */
  readonly layerDigest: string;
  /** Another image takes the tag `latest`; the old one stays under its digest. */
  moveTag(): void;
  /** Undefined ends the fault. */
  break(fault: RegistryFault | undefined): void;
  /** `METHOD path authorization` of all requests so far. */
  requests(): Promise<readonly string[]>;
}

/** Starts it in the network namespace of a process: an engine there asks loopback without TLS. */
export async function startFakeRegistry(
  engine: { readonly pid: number },
  options: FakeRegistryOptions = {},
): Promise<FakeRegistry> {
  const script = path.join(import.meta.dirname, 'fake-registry-process.ts');
  const child: ChildProcess = spawn(
    'nsenter',
    ['--target', String(engine.pid), '--net', '--', process.execPath, script, JSON.stringify(options)],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  const [ready] = (await once(child, 'message', { signal: AbortSignal.timeout(10_000) })) as [
    { readonly port: number; readonly digest: string; readonly layerDigest: string },
  ];
  return {
    repository: `${options.at?.name ?? '127.0.0.1'}:${ready.port}/app`,
    ...{ digest: ready.digest, layerDigest: ready.layerDigest },
    moveTag: () => void child.send({ moveTag: true }),
    break: (fault) => void child.send({ fault: fault ?? null }),
    requests: async () => {
      child.send({ tell: true });
      const [said] = (await once(child, 'message', { signal: AbortSignal.timeout(10_000) })) as [
        { readonly requests: readonly string[] },
      ];
      return said.requests;
    },
    [Symbol.asyncDispose]: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}
