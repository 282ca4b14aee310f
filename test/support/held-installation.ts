import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

/** A mount namespace of the test's own, with sudo's configuration and /opt as a host has them before the set-up. */
export interface HeldInstallation {
  /** Of the process that holds the namespace, for nsenter. */
  readonly pid: number;
  /** Lets the namespace go, and all that was installed in it. */
  end(): void;
}

/** Makes the namespace out of this tree's build. Fails when the test does not run as root. */
export async function holdInstallation(): Promise<HeldInstallation> {
  if (process.getuid?.() !== 0) throw new Error('These tests install into a mount namespace and must run as root.');
  const root = path.join(import.meta.dirname, '../..');
  const script = path.join(root, 'test/support/hold-installation.sh');
  const holder = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', script, root, process.execPath], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [said] = (await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')])) as [unknown];
  if (!(said instanceof Buffer) || holder.pid === undefined)
    throw new Error('The mount namespace of the test could not be made: see above.');
  return { pid: holder.pid, end: () => holder.stdin.end() };
}
