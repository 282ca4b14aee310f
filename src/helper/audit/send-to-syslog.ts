import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { boundCommand } from '../../system/bound-command.ts';

/**
 * Through logger(1): Node has no datagram sockets of the Unix domain. By its standard input: everybody on the host could
 * read its words, and what they say is for nobody but the site. A host without syslog loses the record, not the job.
 */
export function sendToSyslog(record: string, logger = '/usr/bin/logger'): void {
  const argv = ['-t', 'hpc-dockerjob-helper', '-p', 'auth.info', '--size', '8192'];
  const child = spawn(...boundCommand(5, logger, argv), {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true, // the suspension of the job must not stop it
    env: { PATH: '/usr/bin:/bin' },
  });
  child.on('error', () => undefined);
  // Where no file can be opened any more Node makes no stream, whatever its types say.
  const input = child.stdin as Writable | undefined;
  input?.on('error', () => undefined).end(`${record}\n`);
  child.unref();
}
