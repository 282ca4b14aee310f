import type { ForwardedSignal } from '../contract/helper-events.ts';
import type { Allocation, LaunchCommand, Scheduler } from '../ports/scheduler.ts';
import type { LaunchCommands, LaunchOptions } from './launch-nodes.ts';

/** More than any scheduler or user sends in the time of a start. */
const mostTries = 20;

/**
 * For a task that was ended by a signal for the job's command: until Node, and sudo before it, listen, such a signal ends
 * them. The same host is started again; that of the command has it passed on by the other way, as its own start has lost it.
 */
export function startAgain(
  scheduler: Pick<Scheduler, 'launchOnHost'>,
  allocation: Allocation,
  commands: LaunchCommands,
  argv: readonly string[],
  tell: { readonly forward: (signal: ForwardedSignal) => void; readonly say: (text: string) => void },
): NonNullable<LaunchOptions['startAgain']> {
  const tries = new Map<string, number>();
  const find = (host: string): LaunchCommand | undefined =>
    scheduler.launchOnHost?.(allocation, host, argv) ?? [commands].flat().find((command) => command.host === host);
  return (host, signal) => {
    const count = (tries.get(host) ?? 0) + 1;
    const isOurs = allocation.hosts.some(({ name }) => name === host);
    const command = isOurs && count <= mostTries ? find(host) : undefined;
    if (command === undefined) return undefined;
    tries.set(host, count);
    if (host === allocation.hosts[0]?.name) tell.forward(signal);
    tell.say(`note      ${signal} came while ${host} was being started; it is started again`);
    return command;
  };
}
