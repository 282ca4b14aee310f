import type { LevelWithSilent } from 'pino';
import type { LogEvent } from '../contract/log-events.ts';

/** Facts of one event; those whose names are in `secretNames` are left out, wherever they stand. */
export type LogFacts = Readonly<Record<string, unknown>>;

/** The log of one program, for whoever looks for a fault. Never fails, never waits. */
export interface Log {
  info(event: LogEvent, facts?: LogFacts): void;
  debug(event: LogEvent, facts?: LogFacts): void;
  /** A failure with all its causes and where they lie; at level info. */
  failed(error: unknown): void;
}

export type LogLevel = 'off' | 'info' | 'debug';

/** Says nothing, and loads nothing. */
export const silentLog: Log = { info: () => undefined, debug: () => undefined, failed: () => undefined };

/** Names of facts that may hold secrets: values of variables, keys, certificates' private halves. */
export const secretNames = [
  'environment',
  'offered',
  'env',
  'privateKey',
  'key',
  'password',
  'passphrase',
  'token',
  'secret',
] as const;

/** Facts that lie deeper are not shown. */
const mostDepth = 5;
const maxTextLength = 2000;

/**
 * A log of JSON lines, each given to `write` without its line break. pino is loaded here, and only for a level that says
 * anything: every job waits for the start of these programs.
 */
export async function openLog(program: string, level: LogLevel, write: (line: string) => void): Promise<Log> {
  if (level === 'off') return silentLog;
  const { pino } = await import('pino');
  const logger = pino(
    {
      level: level satisfies LevelWithSilent | 'off',
      base: { program, pid: process.pid },
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: (facts) => redact(facts) },
    },
    { write: (line: string) => write(line.trimEnd()) },
  );
  return {
    info: (event, facts = {}) => logger.info(facts, event),
    debug: (event, facts = {}) => logger.debug(facts, event),
    failed: (error) => logger.info({ causes: causesOf(error) }, 'failed' satisfies LogEvent),
  };
}

const isSecret = (name: string): boolean => secretNames.some((secret) => secret.toLowerCase() === name.toLowerCase());

function redact(facts: LogFacts, depth = 1): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [name, isSecret(name) ? '[redacted]' : redactValue(value, depth)]),
  );
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= mostDepth) return '[not shown]';
  if (Array.isArray(value)) return value.map((item: unknown) => redactValue(item, depth + 1));
  return redact(value as LogFacts, depth + 1);
}

function causesOf(thrown: unknown): readonly string[] {
  const causes: string[] = [];
  for (let next = thrown; next instanceof Error && causes.length < 5; next = next.cause)
    causes.push((next.stack ?? next.message).slice(0, maxTextLength));
  return causes;
}
