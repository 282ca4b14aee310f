import { defaultSitePath, loadSite } from '../config/load-site.ts';
import { decideRequest } from '../policy/decide-request.ts';
import { explainContainer } from '../policy/explain-container.ts';
import { asClause } from '../values/errors.ts';
import { checkWorkdir } from './check-workdir.ts';
import type { RequestOptions } from './read-request.ts';
import { readRequest } from './read-request.ts';

/** Options of `explain`. */
export interface ExplainOptions extends RequestOptions {
  readonly config?: string;
  readonly hosts?: number;
}

/**
 * What the policy would make of the request, a line per rule. Fails where the policy refuses it; starts nothing. A workdir
 * that this host does not have is only noted: the policy may be asked on another host than the job's.
 */
export async function explainRequest(
  options: ExplainOptions,
  command: readonly string[],
  environment: NodeJS.ProcessEnv,
  cwd: string,
  countHosts: () => Promise<number>,
): Promise<string> {
  const site = await loadSite(options.config ?? defaultSitePath, { mustBeTrusted: false });
  const request = readRequest(options, command, environment, cwd);
  const hostCount = options.hosts ?? (await countHosts());
  const decision = decideRequest(site, { ...request, hostCount });
  const shown = request.command.kind === 'shell' ? request.command.text : request.command.argv.map(quoteWord).join(' ');
  const workdirFault = await checkWorkdir(request.workdir, process.getuid?.() ?? -1).then(() => undefined, asClause);
  return [
    ...[...decision.rules, ...explainContainer(site, request.shmBytes)].map(
      ({ subject, decision: decided, rule }) => `${subject}: ${decided}   [site.yaml ${rule}]`,
    ),
    ...Object.entries(decision.environment).map(
      ([name, value]) => `environment ${name}=${value}   [site.yaml applications.*.environment]`,
    ),
    ...(decision.hostfile === undefined
      ? []
      : [`host file: ${decision.hostfile} below the workdir   [site.yaml applications.*.hostfile]`]),
    `command: ${shown}   [${request.command.kind === 'shell' ? "by the image's /bin/sh" : 'directly, no shell'}]`,
    ...(workdirFault === undefined ? [] : [`attention: ${workdirFault}   [as seen on this host]`]),
    'Nothing was started. Whether the image is on the hosts shows when the job runs.',
    '',
  ].join('\n');
}

/** As one would have to write it for a shell: so one sees where a word ends. */
function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
