import type { Log, LogLevel } from '../system/log.ts';
import { openLog, silentLog } from '../system/log.ts';
import { startAsRoot } from '../system/start-as-root.ts';

/**
 * The helper's log, to syslog by one logger(1) that lives as long as this process. It goes to no file: a disk that hangs
 * would hold a process of root's. A syslog that takes nothing costs the lines, not the call.
 */
export async function openHelperLog(level: LogLevel): Promise<Log> {
  if (level === 'off') return silentLog;
  const argv = ['-t', 'hpc-dockerjob-helper', '-p', 'daemon.debug', '--size', '8192'];
  const { stdin } = startAsRoot('/usr/bin/logger', argv, { hasInput: true });
  return await openLog('hpc-dockerjob-helper', level, (line) => {
    if (stdin && stdin.writableLength < mostWaitingBytes) stdin.write(`${line.slice(0, mostLineLength)}\n`);
  });
}

const mostLineLength = 8000;
/** Of a syslog that reads too slowly: what comes then is lost. */
const mostWaitingBytes = 1024 * 1024;
