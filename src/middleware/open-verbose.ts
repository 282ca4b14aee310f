import type { Log } from '../system/log.ts';
import { openLog, silentLog } from '../system/log.ts';

/** Lines of the log that a person reads on a terminal: one event each, its facts behind it. */
export function toReadable(line: string): string {
  const {
    time,
    level: _level,
    program,
    pid: _pid,
    event,
    ...facts
  } = JSON.parse(line) as Readonly<Record<string, unknown>>;
  const shown = Object.entries(facts).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? toPlain(value) : toPlain(JSON.stringify(value))}`,
  );
  return `${String(program)}: debug ${String(time).slice(11, 23)} ${[event, ...shown].map(String).join(' ')}\n`;
}

/** What others wrote must not steer a terminal. */
function toPlain(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The log of this program on standard error: by `--verbose`, or by HPCDJ_VERBOSE with any value but 0. */
export async function openVerbose(isAsked: boolean, environment: NodeJS.ProcessEnv): Promise<Log> {
  const wanted = environment['HPCDJ_VERBOSE'] ?? '';
  if (!isAsked && (wanted === '' || wanted === '0')) return silentLog;
  return await openLog('hpc-submit-dockerjob', 'debug', (line) => void process.stderr.write(toReadable(line)));
}
