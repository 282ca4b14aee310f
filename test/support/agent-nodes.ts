import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { agentMessageSchema } from '../../src/contract/agent-protocol.ts';
import type { AgentMessage, HelperMessage } from '../../src/contract/agent-protocol.ts';
import type { JobKey } from '../../src/contract/job-key.ts';
import type { KeyedPeer } from '../../src/contract/roster-text.ts';
import type { LateCommand } from '../../src/contract/job-request.ts';

type Welcome = Extract<HelperMessage, { type: 'welcome' }>;
const source = path.join(import.meta.dirname, '../../src/discovery');

/** Starts the process of an agent, with pipes for its output. */
export type LaunchAgent = (places: { readonly socketPath: string; readonly privateDirectory: string }) => ChildProcess;

/** An agent out of the sources, as a process of this host; `environment` is the image's and ours. */
export function launchOnHost(environment: Readonly<Record<string, string>> = {}): LaunchAgent {
  return ({ socketPath, privateDirectory }) =>
    spawn(
      process.execPath,
      [
        path.join(import.meta.dirname, 'agent-process.ts'),
        socketPath,
        privateDirectory,
        process.execPath,
        path.join(source, 'ssh-client-entry.ts'),
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'], ...environment } },
    );
}

/** One agent with the test in the helper's place. */
export class AgentNode implements AsyncDisposable {
  readonly messages: AgentMessage[] = [];
  stdout = '';
  stderr = '';
  readonly child: ChildProcess;
  readonly privateDirectory: string;
  readonly exited: Promise<number | null>;
  private readonly socket: Socket;
  private readonly waiting = new Set<() => void>();
  private readonly directory: string;

  private constructor(child: ChildProcess, socket: Socket, directory: string) {
    this.child = child;
    this.socket = socket;
    this.directory = directory;
    this.privateDirectory = path.join(directory, 'private');
    this.exited = once(child, 'close').then(([status]) => status as number | null);
    child.stdout?.on('data', (bytes: Buffer) => (this.stdout += bytes.toString()));
    child.stderr?.on('data', (bytes: Buffer) => (this.stderr += bytes.toString()));
    createInterface({ input: socket }).on('line', (line) => {
      this.messages.push(agentMessageSchema.parse(JSON.parse(line)));
      this.waiting.forEach((look) => look());
    });
    socket.on('error', () => undefined);
  }

  /** Starts an agent by `launch` and waits for its call. */
  static async start(launch: LaunchAgent): Promise<AgentNode> {
    const directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-agent-'));
    await mkdir(path.join(directory, 'private'), { mode: 0o700 });
    await mkdir(path.join(directory, 'helper'));
    const socketPath = path.join(directory, 'helper/agent.sock');
    const server = createServer();
    server.listen(socketPath);
    await once(server, 'listening');
    await chmod(directory, 0o755);
    await chmod(socketPath, 0o666); // an agent in a container has another uid
    const child = launch({ socketPath, privateDirectory: path.join(directory, 'private') });
    const failed = once(child, 'close').then(() =>
      Promise.reject(new Error('The agent ended before it called its helper.')),
    );
    const [socket] = (await Promise.race([
      once(server, 'connection', { signal: AbortSignal.timeout(30_000) }),
      failed,
    ])) as [Socket];
    failed.catch(() => undefined);
    server.close();
    return new AgentNode(child, socket, directory);
  }

  send(message: HelperMessage): void {
    this.socket.write(`${JSON.stringify(message)}\n`);
  }

  /** The first message of this type, now or within 20 s. */
  async expect<T extends AgentMessage['type']>(type: T): Promise<Extract<AgentMessage, { type: T }>> {
    const found = Promise.withResolvers<Extract<AgentMessage, { type: T }>>();
    const look = (): void => {
      const message = this.messages.find((one) => one.type === type);
      if (message !== undefined) found.resolve(message as Extract<AgentMessage, { type: T }>);
    };
    const timer = setTimeout(
      () =>
        found.reject(
          new Error(`No "${type}" from the agent; it said ${JSON.stringify(this.messages)}\n${this.stderr}`),
        ),
      20_000,
    );
    this.waiting.add(look);
    look();
    try {
      return await found.promise;
    } finally {
      clearTimeout(timer);
      this.waiting.delete(look);
    }
  }

  /** As when the helper is killed. */
  dropHelper(): void {
    this.socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    const forced = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
    await this.exited;
    clearTimeout(forced);
    await rm(this.directory, { recursive: true, force: true });
  }
}

export const testJob = '772' as JobKey;

/** A job of agents, ready to be welcomed. */
export class AgentJob implements AsyncDisposable {
  readonly nodes: readonly AgentNode[];
  readonly workdir: string;
  readonly port: number;
  readonly addresses: readonly string[];

  constructor(nodes: readonly AgentNode[], workdir: string, port: number, addresses: readonly string[]) {
    this.nodes = nodes;
    this.workdir = workdir;
    this.port = port;
    this.addresses = addresses;
  }

  /** Agents on addresses 127.9.0.x. */
  static async start(count: number, environment: Readonly<Record<string, string>> = {}): Promise<AgentJob> {
    const nodes = await Promise.all(Array.from({ length: count }, () => AgentNode.start(launchOnHost(environment))));
    const workdir = await mkdtemp(path.join(tmpdir(), 'hpcdj-workdir-'));
    return new AgentJob(
      nodes,
      workdir,
      await findFreePort(),
      nodes.map((_, index) => addressOf(index)),
    );
  }

  get master(): AgentNode {
    return this.nodes[0]!;
  }

  welcomeAll(welcome: Partial<Welcome> & Pick<Welcome, 'command'>): void {
    this.nodes.forEach((node, index) =>
      node.send({
        type: 'welcome',
        job: testJob,
        index,
        nodeCount: this.nodes.length,
        hostname: `772-node-${index}`,
        ip: this.addresses[index]!,
        interfaceName: 'lo',
        sshPort: this.port,
        workdir: this.workdir,
        home: '/nonexistent',
        environment: {},
        umask: 0o022,
        input: false,
        discoverDeadlineMs: 10_000,
        commandDeadlineMs: 0,
        stopGraceMs: 1000,
        ...welcome,
      }),
    );
  }

  async makeRoster(): Promise<KeyedPeer[]> {
    return Promise.all(
      this.nodes.map(async (node, index) => {
        const { sshPublicKey, hostPublicKey } = await node.expect('hello');
        return {
          index,
          hostname: `772-node-${index}`,
          host: `c${index}.cluster`,
          ip: this.addresses[index]!,
          slots: 2,
          sshPublicKey,
          hostPublicKey,
        };
      }),
    );
  }

  /** From the welcome to the master's command running; `late` is what START says of it. */
  async run(welcome: Partial<Welcome> & Pick<Welcome, 'command'>, late?: LateCommand): Promise<void> {
    const peers = await this.makeRoster();
    this.welcomeAll(welcome);
    for (const node of this.nodes) node.send({ type: 'roster', peers });
    await Promise.all(this.nodes.map((node) => node.expect('ready')));
    for (const [index, node] of this.nodes.entries()) {
      const { command, environment, umask } = late ?? {};
      node.send({
        type: 'start',
        ...(command === undefined || index > 0 ? {} : { command }),
        ...(environment === undefined ? {} : { environment }),
        ...(umask === undefined ? {} : { umask }),
      });
    }
  }

  async finish(): Promise<(number | null)[]> {
    for (const node of this.nodes) node.send({ type: 'finish' });
    return Promise.all(this.nodes.map((node) => node.exited));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
    await rm(this.workdir, { recursive: true, force: true });
  }
}

export function addressOf(index: number): string {
  return `127.9.0.${index + 1}`;
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No port.');
  return address.port;
}
