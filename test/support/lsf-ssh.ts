/** SSH between the hosts of a lab, as a site without a launcher of LSF's has it: strict host keys, logins by key. */
import { mustRun } from '../../lab/batch-jobs.ts';
import { startDaemon } from '../../lab/enter-host.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { writeHostFile } from '../../lab/write-host-files.ts';

const hostKey = '/run/dropbear-host-key';
const pidFile = '/run/dropbear.pid';
export const knownHosts = '/etc/ssh/ssh_known_hosts';
const home = '/home/alice/.ssh';

/** Starts an SSH server on the address of every node, and lets alice log in; disposing ends the servers and takes the keys back. */
export async function startSsh(lab: Lab): Promise<AsyncDisposable> {
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => void (await mustRun(lab, 'node1', ['rm', '-rf', home])));
  const makeKey = `umask 077; mkdir -p ${home} && ssh-keygen -q -t ed25519 -N '' -f ${home}/id_ed25519 && cp ${home}/id_ed25519.pub ${home}/authorized_keys && chown -R alice: ${home}`;
  await mustRun(lab, 'node1', ['sh', '-c', `rm -rf ${home}; ${makeKey}`]);
  const keys: string[] = [];
  for (const host of lab.nodes) {
    const said = await mustRun(lab, host.name, ['sh', '-c', `rm -f ${hostKey}; dropbearkey -t ed25519 -f ${hostKey}`]);
    keys.push(`${host.name} ${/^ssh-ed25519 \S+/m.exec(said)?.[0] ?? 'none'}`);
    undo.defer(
      async () => void (await mustRun(lab, host.name, ['sh', '-c', `kill "$(cat ${pidFile})"; rm ${knownHosts}`])),
    );
    const listen = ['-p', `${host.address}:22`, '-r', hostKey, '-P', pidFile];
    // No passwords, no forwarding.
    await startDaemon(lab.layout, host, 'dropbear', [
      '/usr/sbin/dropbear',
      '-F',
      '-E',
      '-s',
      '-g',
      '-j',
      '-k',
      ...listen,
    ]);
  }
  for (const host of lab.nodes) await writeHostFile(host, knownHosts, `${keys.join('\n')}\n`);
  return undo.move();
}
