import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { connectEngine } from '../../src/docker/connect-engine.ts';
import { hostCommands } from '../../src/helper/host/host-commands.ts';
import { networkKinds } from '../../src/network/known-networks.ts';
import { shellContainer } from '../support/container-spec.ts';
import { busyboxImage, startDockerEngine } from '../support/docker-engine.ts';
import type { TestEngine } from '../support/docker-engine.ts';
import { networkPlan } from '../support/network-plan.ts';
import { labHostAddress, startNetLab } from '../support/net-lab.ts';

test('joins containers of two engines by a network of their own, which goes away with them', async () => {
  await using lab = await startNetLab(0);
  await using first = await startDockerEngine();
  await using second = await startDockerEngine();
  const plan = networkPlan('vxlan', [labHostAddress(0), labHostAddress(1)]);
  const [server, client] = plan.nodes;

  const bringUp = async (host: TestEngine, index: number, script: string) => {
    await lab.join(`/proc/${host.pid}/ns/net`, index);
    const engine = connectEngine({ socketPath: host.socketPath });
    const enter = ['/usr/bin/nsenter', '--target', String(host.pid), '--net', '--mount', '--'];
    const driver = networkKinds.vxlan.open(
      engine,
      hostCommands({ commandPath: '/usr/bin:/bin:/usr/sbin:/sbin', enter }),
    );
    const node = plan.nodes[index]!;
    const image = await engine.findImage(busyboxImage);
    const network = await driver.prepare(plan, node);
    const container = await engine.createContainer(shellContainer(image!.id, script, { network }));
    const output = await container.attachOutput();
    await driver.attach(plan, node, await container.start());
    return { container, output, driver };
  };

  const listening = await bringUp(first, 0, 'while true; do echo greetings | nc -l -p 5000; done');
  const asking = await bringUp(
    second,
    1,
    `for i in 1 2 3 4 5 6 7 8; do sleep 1; sleep 1 | nc -w 3 ${server!.ip} 5000 && break; done; ip -6 addr; id -u`,
  );
  expect(await text(asking.output.stdout)).toBe('greetings\n2001\n');
  expect(client!.ip).toBe('10.128.4.2');
  for (const { container, driver } of [listening, asking]) {
    await container.remove();
    await driver.release(plan.job);
    expect(await driver.findLeftovers(plan.job)).toEqual([]);
  }
});
