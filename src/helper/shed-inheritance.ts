/**
 * Signals by which a caller could end this process of root's later: timers live through exec, sudo's too. Node has put
 * every signal back to its default and unblocked all, before our first line.
 */
const harmless = ['SIGALRM', 'SIGVTALRM', 'SIGPROF', 'SIGIO', 'SIGPWR', 'SIGSTKFLT'] as const;

/**
 * Gives up what the caller of a sudo rule leaves to this process and the wrapper cannot take back in a shell; the list is
 * in docs/security.md. To be called before anything else, once.
 */
export function shedInheritance(): void {
  for (const signal of harmless) process.on(signal, () => undefined);
  // `sudo -P` keeps the caller's groups.
  if (process.geteuid?.() === 0) process.setgroups?.([]);
}
