import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectEngine } from '../../src/docker/connect-engine.ts';
import { hostCommands } from '../../src/helper/host/host-commands.ts';
import { networkKinds } from '../../src/network/known-networks.ts';
import type { Container, ContainerEngine } from '../../src/ports/container-engine.ts';
import type { HostCommands } from '../../src/ports/host-commands.ts';
import type { NetworkDriver } from '../../src/ports/network-driver.ts';
import { shellContainer } from '../support/container-spec.ts';
import { busyboxImage, startDockerEngine } from '../support/docker-engine.ts';
import type { TestEngine } from '../support/docker-engine.ts';
import { networkPlan } from '../support/network-plan.ts';

const plan = networkPlan('solo', ['127.0.0.1']);
const node = plan.nodes[0]!;

let lab: TestEngine;
let engine: ContainerEngine;
let imageId: string;
let commands: HostCommands;
let driver: NetworkDriver;

beforeAll(async () => {
  lab = await startDockerEngine();
  engine = connectEngine({ socketPath: lab.socketPath });
  imageId = (await engine.findImage(busyboxImage))?.id ?? '';
  const enter = ['/usr/bin/nsenter', '--target', String(lab.pid), '--net', '--mount', '--'];
  commands = hostCommands({ commandPath: '/usr/bin:/bin:/usr/sbin:/sbin', enter });
  driver = networkKinds.solo.open(engine, commands);
});

afterAll(async () => {
  await lab.stop();
});

/** A container that waits for its link before it runs the script; `attach` gives it that. */
async function startContainer(script: string): Promise<{
  readonly container: Container;
  readonly attach: () => Promise<void>;
  readonly said: Promise<string>;
}> {
  const waiting = `until ip addr show eth0 2>/dev/null | grep -q 'inet .*'; do sleep 0.1; done; ${script}`;
  const network = await driver.prepare(plan, node);
  const container = await engine.createContainer(shellContainer(imageId, waiting, { network }));
  const output = await container.attachOutput();
  const running = await container.start();
  return { container, attach: () => driver.attach(plan, node, running), said: text(output.stdout) };
}

/** All that the host has of networks. */
async function describeHost(): Promise<string> {
  const links = await lab.exec('ip', '-o', 'link', 'show');
  const tables = await lab.exec('nft', 'list', 'tables');
  const networks = await lab.docker('network', 'ls', '--quiet');
  return [links, await lab.exec('ip', 'route', 'show', 'table', 'all'), tables, networks].join('\n');
}

test('reaches itself by the address of its node, and nothing of it is on the host', async () => {
  const before = await describeHost();
  const script = `cat /sys/class/net/eth0/operstate /sys/class/net/eth0/address
    (echo greetings | nc -l -p 5000) & until nc -w 3 ${node.ip} 5000 </dev/null; do sleep 0.2; done; ip -6 addr`;
  const { container, attach, said } = await startContainer(script);
  await attach();
  expect(await said).toBe(`up\n${node.mac}\ngreetings\n`);
  expect(await describeHost()).toBe(before);
  await container.remove();
  await driver.release(plan.job);
  expect(await driver.findLeftovers(plan.job)).toEqual([]);
});

test('leads nowhere else: neither to the host nor to another job of the same addresses', async () => {
  await lab.exec('ip', 'address', 'add', '192.0.2.9/32', 'dev', 'lo');
  const listening = await startContainer('echo secret | nc -l -p 5000');
  await listening.attach();
  const tries = ['192.0.2.9', '127.0.0.1', node.ip, node.ip.replace(/\d+$/, '77')];
  const script = tries.map((address) => `nc -w 1 ${address} 5000 </dev/null; echo $?`).join('; ');
  const asking = await startContainer(`${script}; ip route | wc -l`);
  await asking.attach();
  expect(await asking.said).toBe('1\n1\n1\n1\n1\n');
  await asking.container.remove();
  await listening.container.remove();
});

test('is made anew where a try before came half-way', async () => {
  const { container, attach, said } = await startContainer('echo joined');
  const pid = (await lab.docker('inspect', '--format', '{{.State.Pid}}', container.id)).trim();
  await lab.exec(
    'nsenter',
    '--target',
    pid,
    '--net',
    'ip',
    'link',
    'add',
    'eth0',
    'type',
    'veth',
    'peer',
    'name',
    'peer0',
  );
  await attach();
  expect(await said).toBe('joined\n');
  await container.remove();
});

test.each([
  ['an address outside', { ...plan, network: { ...plan.network, cidr: '10.9.9.0/24' } }, node],
  ['no address', plan, { ...node, ip: '1.2.3.4; reboot' }],
  ['no MAC address', plan, { ...node, mac: 'x\nlink delete eth0' }],
])('refuses a plan with %s', async (_, wrong, end) => {
  const attach = driver.attach(wrong, end, { networkNamespacePath: '/proc/1/ns/none' });
  await expect(attach).rejects.toMatchObject({
    code: 'HOST_UNFIT',
    message: expect.stringContaining('no usable network') as string,
  });
});
