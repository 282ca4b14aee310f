import { spawn } from 'node:child_process';
import { boundCommand } from '../../system/bound-command.ts';

/** Through logger(1): Node has no datagram sockets of the Unix domain. A host without syslog loses the record, not the job. */
export function sendToSyslog(record: string): void {
  const argv = ['-t', 'hpc-dockerjob-helper', '-p', 'auth.info', '--size', '8192', '--', record];
  const child = spawn(...boundCommand(5, '/usr/bin/logger', argv), {
    stdio: 'ignore',
    detached: true, // the suspension of the job must not stop it
    env: { PATH: '/usr/bin:/bin' },
  });
  child.on('error', () => undefined);
  child.unref();
}
