/** Runs programs inside a host: first its cgroups, then its namespaces, then the user. */
import type { RunningHost } from './boot-hosts.ts';
import { hostPaths } from './layout.ts';
import type { LabLayout } from './layout.ts';
import { inCgroups, run, startDetached } from './run-command.ts';
import type { RunOptions } from './run-command.ts';

export interface EnterOptions {
  readonly user?: string;
  readonly cwd?: string;
  readonly env?: Record<string, string>;
}

/** The argument vector that runs `argv` inside the host as `user`, with a login-like environment and nothing of the caller's. */
export function toHostCommand(host: RunningHost, argv: readonly string[], options: EnterOptions = {}): string[] {
  const user = options.user ?? 'root';
  const home = user === 'root' ? '/root' : `/home/${user}`;
  const variables = { LANG: 'C.UTF-8', ...options.env };
  return inCgroups(host.cgroups, [
    ...['nsenter', '--target', String(host.initPid), '--mount', '--uts', '--ipc', '--net', '--cgroup', '--pid', '--'],
    // pdeathsig: when nsenter is killed outside, what it started inside must not stay behind.
    ...['setpriv', '--reuid', user, '--regid', user, '--init-groups', '--pdeathsig', 'TERM', '--reset-env', '--'],
    ...['env', '--chdir', options.cwd ?? home, ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)],
    ...argv,
  ]);
}

/** Runs a program inside the host and returns its output; fails when its status is not 0. */
export async function runOnHost(
  host: RunningHost,
  argv: readonly string[],
  options: EnterOptions & Pick<RunOptions, 'input' | 'timeoutMs'> = {},
): Promise<string> {
  const { input, timeoutMs, ...enter } = options;
  return await run(toHostCommand(host, argv, enter), {
    cgroups: [],
    shownAs: `${argv.join(' ')}\` on \`${host.name}`,
    ...(input === undefined ? {} : { input }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
}

/** Starts a daemon inside the host; it belongs to the host's init and logs to `<log directory>/<name>.log`. */
export async function startDaemon(
  layout: LabLayout,
  host: RunningHost,
  name: string,
  argv: readonly string[],
  user = 'root',
): Promise<void> {
  const command = toHostCommand(host, ['setsid', '--fork', ...argv], { user, cwd: '/' });
  await startDetached(command, `${hostPaths(layout, host).log}/${name}.log`);
}

/** A path inside the host as the machine sees it, to read and write the host's files directly. */
export function pathInHost(host: RunningHost, path: string): string {
  return `/proc/${host.initPid}/root${path}`;
}
