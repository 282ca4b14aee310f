/**
 * How long a job of N nodes takes from "all may publish their keys" to "all have seen START", and what it costs the store.
 * The keeper and the nodes run the product's own code against an etcd of this bench's own; what is played stands in
 * bench/README.md. Needs the etcd command: npm run bench -- discovery [--nodes 2,16,64] [--rounds 3] [--processes 2]
 * [--cold: no round before the first] [--json FILE]
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { loadavg } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { startEtcd } from '../test/support/etcd-server.ts';
import type { EtcdServer } from '../test/support/etcd-server.ts';
import { nowMs } from './discovery/messages.ts';
import type { Done, Order } from './discovery/messages.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '2,16,64,128,256,512,1024' },
    rounds: { type: 'string', default: '3' },
    processes: { type: 'string', default: '2' },
    cold: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

interface StoreCounts {
  readonly cpuSeconds: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly residentBytes: number;
}

/** What etcd itself counts since its start. */
async function readStoreCounts({ port, identity }: EtcdServer): Promise<StoreCounts> {
  const request = get({ host: '127.0.0.1', port, path: '/metrics', ...identity, agent: false });
  const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
  const lines = await text(response);
  const valueOf = (name: string): number => Number(new RegExp(`^${name} (.*)$`, 'm').exec(lines)?.[1] ?? Number.NaN);
  return {
    cpuSeconds: valueOf('process_cpu_seconds_total'),
    sentBytes: valueOf('etcd_network_client_grpc_sent_bytes_total'),
    receivedBytes: valueOf('etcd_network_client_grpc_received_bytes_total'),
    residentBytes: valueOf('process_resident_memory_bytes'),
  };
}

/** A process of the bench; ends with this one. */
class Part implements Disposable {
  private readonly child: ChildProcess;

  constructor(file: string) {
    this.child = fork(path.join(import.meta.dirname, 'discovery', file), {
      execArgv: ['--disable-warning=DEP0123', '--max-old-space-size=6000'],
    });
    this.child.once('exit', (status) => {
      if (status === 0) return;
      console.error(`A process of the bench has died (${status ?? 'killed'}).`);
      process.exit(1);
    });
  }

  async tell(order: Order): Promise<Done> {
    this.child.send(order);
    const [answer] = (await once(this.child, 'message')) as [Done];
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }

  [Symbol.dispose](): void {
    this.child.disconnect();
  }
}

interface Round {
  /** From "all may publish" until the last had seen START. */
  readonly wholeMs: number;
  /** From the moment when the last had published. */
  readonly afterPublishedMs: number;
  readonly joinMs: number;
  readonly joinBytesPerNode: number;
  readonly bytesPerNode: number;
  readonly sentMegabytes: number;
  readonly receivedMegabytes: number;
  readonly etcdCpuSeconds: number;
  readonly keeperCpuSeconds: number;
  readonly nodeCpuMs: number;
  readonly etcdMegabytes: number;
  readonly load: number;
}

interface Parts {
  readonly server: EtcdServer;
  readonly keeper: Part;
  readonly nodes: readonly Part[];
}

async function measureRound({ server, keeper, nodes }: Parts, job: string, nodeCount: number): Promise<Round> {
  const all = async (order: Order): Promise<readonly Done[]> =>
    await Promise.all(nodes.map(async (part) => await part.tell(order)));
  const sum = (done: readonly Done[]): number => done.reduce((whole, each) => whole + each.cpuSeconds, 0);
  const load = loadavg()[0] ?? 0;
  const first = await readStoreCounts(server);
  const opened = await keeper.tell({ type: 'open', job, nodeCount });
  const joinedAtMs = nowMs();
  const before = await all({ type: 'join', job });
  const joinMs = nowMs() - joinedAtMs;
  const counts = await readStoreCounts(server);
  const startedAtMs = nowMs();
  const after = await all({ type: 'go' });
  const then = await readStoreCounts(server);
  const ended = await keeper.tell({ type: 'end' });
  await all({ type: 'end' });
  await all({ type: 'rest' });
  await keeper.tell({ type: 'rest' });
  const lastOf = (name: 'publishedAtMs' | 'startedAtMs'): number => Math.max(...after.map((done) => done[name] ?? 0));
  const sentBytes = then.sentBytes - counts.sentBytes;
  return {
    wholeMs: lastOf('startedAtMs') - startedAtMs,
    afterPublishedMs: lastOf('startedAtMs') - lastOf('publishedAtMs'),
    joinMs,
    joinBytesPerNode: (counts.sentBytes - first.sentBytes) / nodeCount,
    bytesPerNode: sentBytes / nodeCount,
    sentMegabytes: sentBytes / 1e6,
    receivedMegabytes: (then.receivedBytes - counts.receivedBytes) / 1e6,
    etcdCpuSeconds: then.cpuSeconds - counts.cpuSeconds,
    keeperCpuSeconds: ended.cpuSeconds - opened.cpuSeconds,
    nodeCpuMs: (1000 * (sum(after) - sum(before))) / nodeCount,
    etcdMegabytes: then.residentBytes / 1e6,
    load,
  };
}

async function measure(nodeCount: number, rounds: number): Promise<readonly Round[]> {
  await using server = await startEtcd();
  const { ca, cert, key } = server.identity;
  const store = { endpoint: server.endpoint, ca: String(ca), cert: String(cert), key: String(key) };
  using parts = new DisposableStack();
  const keeper = parts.use(new Part('keeper-process.ts'));
  const processes = Math.min(Number(values.processes), nodeCount);
  const bounds = Array.from({ length: processes + 1 }, (_, at) => Math.round((at * nodeCount) / processes));
  const nodes = Array.from({ length: processes }, () => parts.use(new Part('node-process.ts')));
  await keeper.tell({ type: 'connect', store, from: 0, to: 0 });
  await Promise.all(
    nodes.map(async (part, at) => await part.tell({ type: 'connect', store, from: bounds[at]!, to: bounds[at + 1]! })),
  );
  const found: Round[] = [];
  // The first one warms up whatever is compiled while it runs.
  for (let round = values.cold ? 1 : 0; round <= rounds; round += 1) {
    const one = await measureRound({ server, keeper, nodes }, String(100 + round), nodeCount);
    if (round > 0) found.push(one);
  }
  return found;
}

function medianOf(rounds: readonly Round[], name: keyof Round): number {
  const sorted = rounds.map((round) => round[name]).toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}

const columns: readonly (readonly [string, keyof Round, number])[] = [
  ['all, ms', 'wholeMs', 0],
  ['after the last has published, ms', 'afterPublishedMs', 0],
  ['bytes sent by etcd a node', 'bytesPerNode', 0],
  ['the same for plan and claim', 'joinBytesPerNode', 0],
  ['sent, MB', 'sentMegabytes', 1],
  ['received, MB', 'receivedMegabytes', 2],
  ['etcd CPU, s', 'etcdCpuSeconds', 2],
  ['keeper CPU, s', 'keeperCpuSeconds', 2],
  ['CPU a node, ms', 'nodeCpuMs', 1],
  ['etcd memory, MB', 'etcdMegabytes', 0],
  ['load', 'load', 1],
];
console.log(`| nodes | ${columns.map(([title]) => title).join(' | ')} | ratio to the row before |`);
console.log(`| --- |${' --- |'.repeat(columns.length + 1)}`);
const results: { readonly nodes: number; readonly rounds: readonly Round[] }[] = [];
for (const nodeCount of values.nodes.split(',').map(Number)) {
  const rounds = await measure(nodeCount, Number(values.rounds));
  const last = results.at(-1);
  const ratio = last === undefined ? '' : (medianOf(rounds, 'wholeMs') / medianOf(last.rounds, 'wholeMs')).toFixed(2);
  const cells = columns.map(([, name, digits]) => medianOf(rounds, name).toFixed(digits));
  console.log(`| ${nodeCount} | ${cells.join(' | ')} | ${ratio} |`);
  results.push({ nodes: nodeCount, rounds });
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, undefined, 1)}\n`);
}
process.exit(0);
