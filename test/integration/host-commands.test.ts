import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';

const source = join(import.meta.dirname, '../../src/helper/host/host-commands.ts');
const program = `import { hostCommands } from ${JSON.stringify(source)};
const found = hostCommands({ commandPath: '/usr/bin:/bin:/usr/sbin:/sbin' });
console.log(await found.findInterface('192.0.2.9'), await found.findInterface('192.0.2.10'));`;

it('finds the link of an address also while that link is down: it may be back in a moment', async () => {
  for (const state of ['up', 'down']) {
    const links = `ip link add d0 type veth peer name d1 && ip address add 192.0.2.9/24 dev d0 && ip link set d1 up && ip link set d0 ${state}`;
    const run = [process.execPath, '--input-type=module', '-e', program];
    const { stdout } = await execa('unshare', ['--net', 'sh', '-c', `${links} && exec "$@"`, 'sh', ...run]);
    expect(stdout, state).toBe('d0 undefined');
  }
});
