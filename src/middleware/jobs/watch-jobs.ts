import type { WriteStream } from 'node:tty';
import { lasts } from '../../system/deadline.ts';

/** Home, and erase what is below. */
const clear = '\u001b[H\u001b[J';

/**
 * Shows what `look` gives again and again on a terminal, until a signal comes. Returns the exit status: 0, as it ends only
 * when it is told to. Fails as the first look does; a later one that fails is shown in its place.
 */
export async function watchJobs(terminal: WriteStream, everyMs: number, look: () => Promise<string>): Promise<number> {
  const told = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => told.abort());
  terminal.once('close', () => told.abort());
  let text = await look();
  for (;;) {
    const lines = text.split('\n').slice(0, Math.max(1, (terminal.rows || 24) - 1));
    const shown = lines.map((line) => line.slice(0, terminal.columns || 80)).join('\n');
    terminal.write(`${clear}${new Date().toTimeString().slice(0, 8)}  every ${everyMs / 1000} s\n${shown}`);
    if (!(await lasts(everyMs, told.signal))) break;
    text = await look().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
  }
  terminal.write('\n');
  return 0;
}
