import { spawn } from 'node:child_process';
import type { Log, LogLevel } from '../system/log.ts';
import { openLog, silentLog } from '../system/log.ts';

/**
 * The helper's log, to syslog by one logger(1) that lives as long as this process. It goes to no file: a disk that hangs
 * would hold a process of root's. A syslog that takes nothing costs the lines, not the call.
 */
export async function openHelperLog(level: LogLevel): Promise<Log> {
  if (level === 'off') return silentLog;
  const child = spawn('/usr/bin/logger', ['-t', 'hpc-dockerjob-helper', '-p', 'daemon.debug', '--size', '8192'], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true, // the suspension of the job must not stop it
    env: { PATH: '/usr/bin:/bin' },
  });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.unref();
  return await openLog('hpc-dockerjob-helper', level, (line) => {
    if (child.stdin.writableLength < mostWaitingBytes) child.stdin.write(`${line.slice(0, mostLineLength)}\n`);
  });
}

const mostLineLength = 8000;
/** Of a syslog that reads too slowly: what comes then is lost. */
const mostWaitingBytes = 1024 * 1024;
