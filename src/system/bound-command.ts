/**
 * The words that run a command for so many seconds at most, also when this process is gone by then: who has started a
 * command apart, out of reach of a suspension, takes it along to no end of his own. It ends by KILL.
 */
export function boundCommand(
  seconds: number,
  file: string,
  argv: readonly string[],
): readonly [file: string, argv: string[]] {
  return ['/usr/bin/timeout', ['--signal=KILL', String(seconds), file, ...argv]];
}
