import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connectEngine } from '../../src/docker/connect-engine.ts';
import { bridgeNames } from '../../src/network/bridge/own-network.ts';
import { hostCommands } from '../../src/helper/host/host-commands.ts';
import { networkKinds } from '../../src/network/known-networks.ts';
import type { Container, ContainerEngine } from '../../src/ports/container-engine.ts';
import type { HostCommands } from '../../src/ports/host-commands.ts';
import type { NetworkDriver } from '../../src/ports/network-driver.ts';
import type { JobKey } from '../../src/contract/job-key.ts';
import { ownMarks, shellContainer } from '../support/container-spec.ts';
import { busyboxImage, startDockerEngine } from '../support/docker-engine.ts';
import type { TestEngine } from '../support/docker-engine.ts';
import { networkPlan } from '../support/network-plan.ts';

const plan = networkPlan('bridge', ['127.0.0.1']);
const node = plan.nodes[0]!;
const { device, network } = bridgeNames(plan.job);

let lab: TestEngine;
let engine: ContainerEngine;
let imageId: string;
let commands: HostCommands;
let driver: NetworkDriver;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-test-'));
  lab = await startDockerEngine();
  engine = connectEngine({ socketPath: lab.socketPath });
  imageId = (await engine.findImage(busyboxImage))?.id ?? '';
  const enter = ['/usr/bin/nsenter', '--target', String(lab.pid), '--net', '--mount', '--'];
  commands = hostCommands({ commandPath: '/usr/bin:/bin:/usr/sbin:/sbin', enter });
  driver = networkKinds.bridge.open(engine, commands);
});

afterAll(async () => {
  await lab.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Starts something on the "host" that says a line when it is ready; returns what it said in the end. */
async function listenOnHost(script: string): Promise<AsyncDisposable & { stop(): Promise<string> }> {
  const argv = ['--target', String(lab.pid), '--net', '--', process.execPath, '-e', script];
  const child = spawn('nsenter', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  const said: string[] = [];
  child.stdout.on('data', (piece: Buffer) => said.push(piece.toString()));
  await once(child.stdout, 'data');
  const stop = async (): Promise<string> => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    }
    return said.join('');
  };
  return { stop, [Symbol.asyncDispose]: () => stop().then(() => undefined) };
}

describe("a job's bridge", () => {
  let container: Container;

  beforeEach(async () => {
    const attached = await driver.prepare(plan, node);
    expect(attached).toEqual({ kind: 'engine', name: network, ip: node.ip });
    container = await engine.createContainer(
      shellContainer(imageId, 'sleep 600', { network: attached, ...(await ownMarks(lab, plan.job)) }),
    );
  });
  afterEach(async () => {
    await container.remove();
    await driver.release(plan.job);
  });

  const inside = (script: string): Promise<string> => lab.docker('exec', container.id, '/bin/sh', '-c', script);

  test('gives the container the planned address, on eth0, and no IPv6', async () => {
    await container.start();
    expect(await inside('ip -4 addr show eth0')).toContain(`inet ${node.ip}/24`);
    expect(await inside('ip addr')).not.toContain('inet6');
  });

  test('gives the host no address on it', async () => {
    await container.start();
    expect(await lab.exec('ip', '-oneline', 'address', 'show', 'dev', device)).toBe('');
  });

  test('reaches no service of the host: not over the gateway, a broadcast or a forced interface', async () => {
    const { networkNamespacePath } = await container.start();
    await using service = await listenOnHost(`
      const { createServer } = require('net');
      createServer((c) => { console.log('reached by TCP'); c.end(); }).listen(5000, '::', () => {
        const udp = require('dgram').createSocket('udp4');
        udp.on('message', () => console.log('reached by UDP'));
        udp.bind(5000, '0.0.0.0', () => console.log('ready'));
      });`);
    // Root in the container's network namespace can do more than its user, who has no capability there.
    const rootInside = (...argv: string[]): Promise<string> =>
      lab.exec('nsenter', `--net=${networkNamespacePath}`, ...argv);
    const mac = /link\/ether (\S+)/.exec(await lab.exec('ip', 'link', 'show', 'dev', device))![1]!;
    for (const target of ['10.128.4.254', '172.17.0.1', '127.0.0.1']) {
      await expect(inside(`nc -w 1 ${target} 5000`)).rejects.toThrow();
      await expect(inside(`ping -c 1 -W 1 -I eth0 ${target}`)).rejects.toThrow();
    }
    await rootInside('ip', 'route', 'replace', 'default', 'dev', 'eth0');
    for (const target of ['10.128.4.254', '172.17.0.1']) {
      await rootInside('ip', 'neighbour', 'replace', target, 'lladdr', mac, 'dev', 'eth0');
      await expect(rootInside('/bin/busybox', 'nc', '-w', '1', target, '5000')).rejects.toThrow();
      await expect(rootInside('/bin/busybox', 'ping', '-c', '1', '-W', '1', target)).rejects.toThrow();
    }
    const shout = `const s = require('dgram').createSocket('udp4'); s.bind(() => { s.setBroadcast(true);
      s.send('x', 5000, '255.255.255.255', () => s.send('x', 5000, '10.128.4.255', () => s.close())); });`;
    await rootInside(process.execPath, '-e', shout);
    await sleep(300);
    expect(await service.stop()).toBe('ready\n');
    expect(await lab.exec('nft', 'list', 'table', 'inet', 'hpcdj_772_3')).toMatch(/counter packets [1-9]/);
  });

  test('carries no question of the container to the name server of the host', async () => {
    await writeFile(path.join(directory, 'resolv.conf'), 'nameserver 127.0.0.53\n');
    await lab.exec('mount', '--bind', path.join(directory, 'resolv.conf'), '/etc/resolv.conf');
    await using server = await listenOnHost(`
      const udp = require('dgram').createSocket('udp4');
      udp.on('message', (m) => console.log(m.includes('secret') ? 'asked for the secret' : 'asked'));
      udp.bind(53, '0.0.0.0', () => console.log('ready'));`);
    const asking = await engine.createContainer(
      shellContainer(imageId, 'sleep 1; nslookup secret.example 127.0.0.11; nslookup secret.example', {
        network: { kind: 'engine', name: network, ip: '10.128.4.9' },
      }),
    );
    const output = await asking.attachOutput();
    await asking.start();
    const [answer] = await Promise.all([text(output.stdout), text(output.stderr)]);
    expect(answer).not.toContain('Address: 10');
    await asking.remove();
    expect(await server.stop()).toBe('ready\n');
    await lab.exec('umount', '/etc/resolv.conf');
  });

  test('keeps its filter as long as the container is there', async () => {
    await expect(networkKinds.vxlan.open(engine, commands).release(plan.job)).rejects.toMatchObject({
      code: 'HOST_UNFIT',
    });
    expect(await driver.findLeftovers(plan.job)).toContain('nftables table inet hpcdj_772_3');
  });

  test('is found made when it is prepared again', async () => {
    const [before] = await engine.findNetworks({ 'hpcdj.job': plan.job });
    await driver.prepare(plan, node);
    expect((await engine.findNetworks({ 'hpcdj.job': plan.job }))[0]!.id).toBe(before!.id);
  });

  test('keeps the subnet from other jobs on the host', async () => {
    const other = networkPlan('bridge', ['127.0.0.1'], { job: '773' });
    await expect(driver.prepare(other, other.nodes[0]!)).rejects.toMatchObject({ code: 'POOL_EXHAUSTED' });
    await driver.release(other.job);
    expect(await driver.findLeftovers(other.job)).toEqual([]);
  });
});

describe('release', () => {
  test('takes network and filter away, as often as one likes', async () => {
    await driver.prepare(plan, node);
    expect(await driver.findLeftovers(plan.job)).toEqual([
      `Docker network ${network}`,
      'nftables table inet hpcdj_772_3',
    ]);
    await driver.release(plan.job);
    await driver.release(plan.job);
    expect(await driver.findLeftovers(plan.job)).toEqual([]);
    expect(await lab.exec('ip', '-oneline', 'link')).not.toContain(device);
  });
});

describe('a subnet for a job on one host', () => {
  const job = '880' as JobKey;
  afterEach(() => driver.release(job));

  test('is the first that neither a job nor a route of the host uses, and is kept by its bridge', async () => {
    await driver.prepare(plan, node);
    await lab.exec('ip', 'route', 'add', 'blackhole', '10.128.6.0/23');
    const candidates = ['10.128.4.0/24', '172.17.0.0/24', '10.128.7.0/24', '10.128.8.0/24', '10.128.9.0/24'];
    expect(await driver.reserve?.(job, candidates)).toBe('10.128.8.0/24');
    const made = networkPlan('bridge', ['127.0.0.1'], { job, cidr: '10.128.8.0/24' });
    const [before] = await engine.findNetworks({ 'hpcdj.job': job });
    await driver.prepare(made, made.nodes[0]!);
    expect((await engine.findNetworks({ 'hpcdj.job': job }))[0]!.id).toBe(before!.id);
    await lab.exec('ip', 'route', 'delete', '10.128.6.0/23');
    await driver.release(plan.job);
  });

  test('is refused when there is none, and nothing stays', async () => {
    await expect(driver.reserve?.(job, ['172.17.0.0/24'])).rejects.toMatchObject({
      code: 'POOL_EXHAUSTED',
    });
    expect(await driver.findLeftovers(job)).toEqual([]);
  });
});
