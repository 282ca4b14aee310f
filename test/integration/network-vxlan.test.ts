import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hostCommands } from '../../src/helper/host/host-commands.ts';
import { parseSite } from '../../src/config/parse-site.ts';
import { tryNetworks } from '../../src/network/known-networks.ts';
import { vxlanDriver } from '../../src/network/vxlan/driver.ts';
import type { NetworkDriver } from '../../src/ports/network-driver.ts';
import type { JobPlan } from '../../src/contract/job-plan.ts';
import { networkPlan } from '../support/network-plan.ts';
import { countReceived, labHostAddress, openNamespace, startNetLab } from '../support/net-lab.ts';
import type { NetLab, TestNamespace } from '../support/net-lab.ts';

const commandPath = '/usr/bin:/bin:/usr/sbin:/sbin';

/** Plain namespaces stand for the containers here. */
const noContainers = { findContainers: () => Promise.resolve([]) };

let lab: NetLab;
let containers: TestNamespace[];
let drivers: NetworkDriver[];
let plan: JobPlan;

beforeEach(async () => {
  lab = await startNetLab(3);
  plan = networkPlan('vxlan', [labHostAddress(0), labHostAddress(1)]);
  drivers = lab.hosts.map(({ path }) =>
    vxlanDriver(noContainers, hostCommands({ commandPath, enter: ['/usr/bin/nsenter', `--net=${path}`, '--'] })),
  );
  containers = await Promise.all([openNamespace(), openNamespace()]);
});

afterEach(async () => {
  await Promise.all([lab, ...containers].map((opened) => opened.close()));
});

/** Brings up the job's network on its two hosts; plain namespaces stand for the containers. */
async function connect(): Promise<void> {
  for (const [index, node] of plan.nodes.entries()) {
    expect(await drivers[index]!.prepare(plan, node)).toEqual({ kind: 'none' });
    await drivers[index]!.attach(plan, node, { networkNamespacePath: containers[index]!.path });
  }
}

const ping = (from: TestNamespace, ip: string, ...options: string[]): Promise<string> =>
  from.exec('/bin/busybox', 'ping', '-c', '1', '-W', '1', ...options, ip);

/** Runs a script of Node in a namespace; `user` takes root away. */
async function runNode(namespace: TestNamespace, script: string, as: 'root' | 'user' = 'root'): Promise<string> {
  const drop = as === 'user' ? ['setpriv', '--reuid=2001', '--regid=2001', '--clear-groups', '--'] : [];
  const argv = [`--net=${namespace.path}`, '--', ...drop, process.execPath, '-e', script];
  return (await execa('nsenter', argv, { timeout: 60_000 })).stdout;
}

/** A program with that UDP port in a namespace, until it is disposed of. */
async function listenOn(namespace: TestNamespace, port: number): Promise<AsyncDisposable & { pid: number }> {
  const script = `require('dgram').createSocket('udp4').bind(${port}, () => console.log('bound'));`;
  const program = execa('nsenter', [`--net=${namespace.path}`, '--', process.execPath, '-e', script], {
    ...{ buffer: false, reject: false, timeout: 60_000 },
  });
  await new Promise((resolve) => program.stdout.once('data', resolve));
  const close = async (): Promise<void> => {
    program.kill('SIGKILL');
    await program;
  };
  return { pid: program.pid ?? 0, [Symbol.asyncDispose]: close };
}

describe('the job network', () => {
  test('lets the containers reach each other by their planned addresses', async () => {
    await connect();
    expect(await ping(containers[0]!, plan.nodes[1]!.ip)).toContain('1 packets received');
    expect(await ping(containers[1]!, plan.nodes[0]!.ip)).toContain('1 packets received');
  });

  test('has the planned MAC address, an MTU that fits the link below, and no IPv6', async () => {
    await connect();
    const link = await containers[0]!.exec('ip', 'link', 'show', 'eth0');
    expect(link).toContain('mtu 1450');
    expect(link).toContain(plan.nodes[0]!.mac);
    expect(await containers[0]!.exec('ip', '-6', 'address', 'show', 'eth0')).toBe('');
  });

  test('carries 100 MB over TCP unchanged', async () => {
    await connect();
    const bytes = 100 * 1024 * 1024;
    const received = runNode(
      containers[1]!,
      `const h = require('crypto').createHash('sha256');
       const s = require('net').createServer((c) => c.on('data', (d) => h.update(d)).on('end', () => { console.log(h.digest('hex')); c.end(); s.close(); }));
       s.listen(5000, '0.0.0.0');`,
    );
    await sleep(500);
    const sent = runNode(
      containers[0]!,
      `const c = require('net').connect(5000, '${plan.nodes[1]!.ip}', async () => {
         const block = Buffer.alloc(1048576, 'abc');
         for (let i = 0; i < 100; i += 1) { block.writeUInt32BE(i); if (!c.write(Buffer.from(block))) await new Promise((r) => c.once('drain', r)); }
         c.end();
       });`,
    );
    const hash = createHash('sha256');
    const block = Buffer.alloc(1024 * 1024, 'abc');
    for (let i = 0; i < bytes / block.length; i += 1) {
      block.writeUInt32BE(i);
      hash.update(block);
    }
    expect((await Promise.all([received, sent]))[0]).toBe(hash.digest('hex'));
  });

  test('floods nothing: a broadcast or an unknown address reaches no peer', async () => {
    await connect();
    const before = await countReceived(containers[1]!, 'eth0');
    await runNode(
      containers[0]!,
      `const s = require('dgram').createSocket('udp4'); s.bind(() => { s.setBroadcast(true);
       s.send('x', 7, '10.128.4.255', () => s.send('x', 7, '10.128.4.77', () => s.close())); });`,
    );
    await sleep(200);
    expect(await countReceived(containers[1]!, 'eth0')).toBe(before);
  });

  test.each(['-q', '-Ieth0'])('leads a container to no address of a host, by any route (%s)', async (option) => {
    await connect();
    for (const address of [labHostAddress(0), labHostAddress(1), labHostAddress(2)]) {
      await expect(ping(containers[0]!, address, option)).rejects.toThrow();
    }
  });

  test('leaves no link, bridge or address on the hosts', async () => {
    const before = await lab.hosts[0]!.exec('ip', '-oneline', 'address');
    await connect();
    expect(await lab.hosts[0]!.exec('ip', '-oneline', 'address')).toBe(before);
    expect(await lab.hosts[0]!.exec('ip', '-oneline', 'link', 'show', 'type', 'vxlan')).toBe('');
  });

  test('may be made again after a crash, at any point', async () => {
    await connect();
    await connect();
    expect(await ping(containers[0]!, plan.nodes[1]!.ip)).toContain('1 packets received');
  });

  test('goes away with the container, so that the same network can be made again', async () => {
    await connect();
    await containers[0]!.close();
    containers[0] = await openNamespace();
    const remake = (): Promise<void> =>
      drivers[0]!.attach(plan, plan.nodes[0]!, { networkNamespacePath: containers[0]!.path });
    await expect.poll(() => remake().then(() => 'made', String), { timeout: 10_000 }).toBe('made');
    expect(await ping(containers[0], plan.nodes[1]!.ip)).toContain('1 packets received');
  });

  test('keeps two jobs on the same hosts apart', async () => {
    await connect();
    const other = networkPlan('vxlan', [labHostAddress(0), labHostAddress(1)], {
      job: '773',
      vni: 4101,
      cidr: '10.128.5.0/24',
    });
    const others = await Promise.all([openNamespace(), openNamespace()]);
    for (const [index, node] of other.nodes.entries()) {
      await drivers[index]!.prepare(other, node);
      await drivers[index]!.attach(other, node, { networkNamespacePath: others[index]!.path });
    }
    expect(await ping(others[0], other.nodes[1]!.ip)).toContain('1 packets received');
    await expect(ping(others[0], plan.nodes[1]!.ip, '-Ieth0')).rejects.toThrow();
    await Promise.all(others.map((container) => container.close()));
    await drivers[0]!.release(other.job);
    expect(await drivers[0]!.findLeftovers(plan.job)).toHaveLength(1);
    expect(await ping(containers[0]!, plan.nodes[1]!.ip)).toContain('1 packets received');
  });
});

describe('an earlier try', () => {
  const attach = () => drivers[0]!.attach(plan, plan.nodes[0]!, { networkNamespacePath: containers[0]!.path });

  test('that came half-way is replaced, before and after the link had its name', async () => {
    await connect();
    await attach();
    expect(await ping(containers[0]!, plan.nodes[1]!.ip)).toContain('1 packets received');
    await containers[0]!.exec('ip', 'link', 'set', 'eth0', 'down');
    await containers[0]!.exec('ip', 'link', 'set', 'eth0', 'name', 'hpcdjv1004');
    await attach();
    expect(await ping(containers[0]!, plan.nodes[1]!.ip)).toContain('1 packets received');
  });

  test('is not what somebody else has put into the container: that stays, and the error says what it is', async () => {
    await containers[0]!.exec('ip', 'link', 'add', 'eth0', 'type', 'bridge');
    await expect(attach()).rejects.toMatchObject({
      code: 'HOST_UNFIT',
      message: expect.stringContaining("a link eth0 that is not this job's: bridge") as string,
    });
    expect(await containers[0]!.exec('ip', '-details', 'link', 'show', 'eth0')).toContain('bridge');
  });

  test("is not another tunnel of the host's with this identifier", async () => {
    const site = ['type', 'vxlan', 'id', String(plan.network.vni), 'dev', 'eth0', 'dstport', String(plan.network.port)];
    await lab.hosts[0]!.exec('ip', 'link', 'add', 'site0', ...site, 'nolearning');
    await expect(attach()).rejects.toMatchObject({
      code: 'HOST_UNFIT',
      hint: expect.stringContaining('network.vxlan in site.yaml') as string,
    });
    expect(await lab.hosts[0]!.exec('ip', 'link', 'show', 'site0')).toContain('site0');
  });
});

describe("the host's own try", () => {
  const tryOn = (host: TestNamespace): Promise<string> =>
    tryNetworks(
      hostCommands({ commandPath, enter: ['/usr/bin/nsenter', `--net=${host.path}`, '--'] }),
      parseSite('version: 1').network,
    );

  test('makes what jobs have, and leaves nothing', async () => {
    expect(await tryOn(lab.hosts[0]!)).toBe('VXLAN links, pairs of links and packet filters');
    expect(await lab.hosts[0]!.exec('ip', '-oneline', 'link')).not.toContain('vxlan');
    expect(await lab.hosts[0]!.exec('nft', 'list', 'ruleset')).toBe('');
  });

  test("is made in the host's own namespace: what is in the way of jobs there is in its way", async () => {
    // Another program on the port.
    await using taken = await listenOn(lab.hosts[0]!, 4789);
    await expect(tryOn(lab.hosts[0]!)).rejects.toMatchObject({ code: 'HOST_UNFIT' });
    expect(taken.pid).toBeGreaterThan(0);
  });
});

describe('release', () => {
  test('takes everything off the host, and does so as often as one likes', async () => {
    await connect();
    expect(await drivers[0]!.findLeftovers(plan.job)).toEqual(['nftables table inet hpcdj_772_3']);
    await drivers[0]!.release(plan.job);
    await drivers[0]!.release(plan.job);
    expect(await drivers[0]!.findLeftovers(plan.job)).toEqual([]);
    expect(await lab.hosts[0]!.exec('nft', 'list', 'ruleset')).toBe('');
  });
});

describe('a host that is not fit', () => {
  test('is refused when users may bind low ports', async () => {
    await lab.hosts[0]!.exec('sysctl', '-q', '-w', 'net.ipv4.ip_unprivileged_port_start=500');
    await expect(drivers[0]!.prepare(plan, plan.nodes[0]!)).rejects.toMatchObject({ code: 'HOST_UNFIT' });
  });

  test('is refused when the planned tunnel end is no address of it', async () => {
    await expect(drivers[2]!.prepare(plan, plan.nodes[0]!)).rejects.toMatchObject({ code: 'HOST_UNFIT' });
  });

  test('gets no link when its filter cannot be put in place', async () => {
    await lab.hosts[0]!.exec('sysctl', '-q', '-w', 'net.ipv4.ip_unprivileged_port_start=500');
    await expect(
      drivers[0]!.attach(plan, plan.nodes[0]!, { networkNamespacePath: containers[0]!.path }),
    ).rejects.toMatchObject({ code: 'HOST_UNFIT' });
    expect(await containers[0]!.exec('ip', '-oneline', 'link')).not.toContain('eth0');
  });

  test('gets its filter with its link, also from a process that prepared nothing', async () => {
    await drivers[0]!.attach(plan, plan.nodes[0]!, { networkNamespacePath: containers[0]!.path });
    expect(await drivers[0]!.findLeftovers(plan.job)).toEqual([`nftables table inet hpcdj_${plan.job}`]);
  });
});

describe('frames from outside', () => {
  /** Sends VXLAN frames of the job to host 1, for the container there, from a bound address and port. */
  const forge = (from: { address?: string; port: number; to?: string; size?: number }): string => {
    const { ip, mac } = plan.nodes[1]!;
    return `const dgram = require('dgram');
      const inner = Buffer.alloc(${from.size ?? 60});
      Buffer.from('${mac.replaceAll(':', '')}0268000000010800', 'hex').copy(inner);
      inner.writeUInt8(0x45, 14); inner.writeUInt16BE(inner.length - 14, 16); inner.writeUInt8(64, 22); inner.writeUInt8(17, 23);
      Buffer.from([${plan.nodes[0]!.ip.replaceAll('.', ',')},${ip.replaceAll('.', ',')}]).copy(inner, 26);
      const header = Buffer.alloc(8); header.writeUInt8(8, 0); header.writeUIntBE(${plan.network.vni}, 4, 3);
      const s = dgram.createSocket('udp${from.to?.includes(':') ? 6 : 4}');
      s.on('error', (e) => { console.log(e.code); process.exit(); });
      s.bind(${from.port}, ${JSON.stringify(from.address)}, () => s.send(Buffer.concat([header, inner]), ${plan.network.port}, '${from.to ?? labHostAddress(1)}', (e) => { if (e) console.log(e.code); s.close(); }));`;
  };
  const arrived = async (send: () => Promise<unknown>): Promise<number> => {
    const before = await countReceived(containers[1]!, 'eth0');
    await send();
    await sleep(200);
    return (await countReceived(containers[1]!, 'eth0')) - before;
  };

  test("arrive when a peer's kernel could have sent them: the forgery of these tests is a good one", async () => {
    await connect();
    // Root on a peer is the kernel's equal; that is the one case that must pass.
    expect(await arrived(() => runNode(lab.hosts[0]!, forge({ port: 700 })))).toBe(1);
    expect(await arrived(() => runNode(lab.hosts[0]!, forge({ port: 1023, size: 3000 })))).toBe(1);
  });

  test.each([
    ['a user of a peer host', 0, { port: 0 }],
    ['a user of a peer host, in fragments', 0, { port: 0, size: 3000 }],
    ['a user of the host itself', 1, { port: 0 }],
    ['a user of the host itself, over the loopback', 1, { port: 0, address: '127.0.0.1', to: '127.0.0.1' }],
    ['a user of a third host', 2, { port: 0 }],
  ] as const)('of %s are dropped', async (_, host, from) => {
    await connect();
    const answer = { text: '' };
    expect(await arrived(async () => (answer.text = await runNode(lab.hosts[host]!, forge(from), 'user')))).toBe(0);
    expect(answer.text).toMatch(/^(EPERM)?$/);
  });

  test('of a user are dropped by the receiver too, when the sender has no filter', async () => {
    await connect();
    await drivers[0]!.release(plan.job);
    expect(await arrived(() => runNode(lab.hosts[0]!, forge({ port: 0 }), 'user'))).toBe(0);
    expect(await arrived(() => runNode(lab.hosts[0]!, forge({ port: 0, size: 3000 }), 'user'))).toBe(0);
  });

  test('of a user cannot have a source port of the kernel', async () => {
    await connect();
    expect(await runNode(lab.hosts[0]!, forge({ port: 700 }), 'user')).toBe('EACCES');
  });

  test('of root on a host that is not a peer are dropped', async () => {
    await connect();
    expect(await arrived(() => runNode(lab.hosts[2]!, forge({ port: 700 })))).toBe(0);
  });

  describe('out of another container, root there, with a bridge of its own', () => {
    let guest: TestNamespace;

    beforeEach(async () => {
      await connect();
      guest = await openNamespace();
    });
    afterEach(() => guest.close());

    /** As Docker's default bridge does it: a private network, forwarding and masquerading. */
    async function plugInto(host: TestNamespace): Promise<void> {
      await host.exec('ip', 'link', 'add', 'eth0', 'netns', guest.path, 'type', 'veth', 'peer', 'name', 'guest0');
      await host.exec('ip', 'address', 'add', '172.30.0.1/24', 'dev', 'guest0');
      await host.exec('ip', 'link', 'set', 'guest0', 'up');
      await host.exec(
        'sysctl',
        '-q',
        '-w',
        'net.ipv4.ip_forward=1',
        'net.ipv4.conf.all.rp_filter=0',
        'net.ipv4.conf.guest0.rp_filter=0',
      );
      await host.exec(
        'nft',
        'add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }; add rule ip nat post ip saddr 172.30.0.0/24 masquerade',
      );
      await guest.exec('ip', 'address', 'add', '172.30.0.2/24', 'dev', 'eth0');
      await guest.exec('ip', 'link', 'set', 'eth0', 'up');
      await guest.exec('ip', 'route', 'add', 'default', 'via', '172.30.0.1');
    }

    test('are dropped when they pretend to come from a peer', async () => {
      await plugInto(lab.hosts[1]!);
      await guest.exec('ip', 'address', 'add', `${labHostAddress(0)}/32`, 'dev', 'eth0');
      expect(await arrived(() => runNode(guest, forge({ port: 700, address: labHostAddress(0) })))).toBe(0);
    });

    test("are dropped when a peer's address translation would make them the peer's", async () => {
      await plugInto(lab.hosts[0]!);
      expect(await arrived(() => runNode(guest, forge({ port: 700 })))).toBe(0);
      // And so they would come through without the filter on that host: the table is what stops them.
      await drivers[0]!.release(plan.job);
      expect(await arrived(() => runNode(guest, forge({ port: 700 })))).toBe(1);
    });
  });
});
