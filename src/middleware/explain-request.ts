import { defaultSitePath, loadSite } from '../config/load-site.ts';
import { decideRequest } from '../policy/decide-request.ts';
import type { ExplainOptions } from './create-program.ts';
import { readRequest } from './read-request.ts';

/** What the policy would make of the request, a line per rule. Fails as the run itself would; starts nothing. */
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
  const shown = request.command.kind === 'shell' ? request.command.text : request.command.argv.join(' ');
  return [
    ...decision.rules.map(({ subject, decision: decided, rule }) => `${subject}: ${decided}   [site.yaml ${rule}]`),
    ...Object.entries(decision.environment).map(
      ([name, value]) => `environment ${name}=${value}   [site.yaml applications.*.environment]`,
    ),
    ...(decision.hostfile === undefined
      ? []
      : [`host file: ${decision.hostfile} below the workdir   [site.yaml applications.*.hostfile]`]),
    `command: ${shown}   [${request.command.kind === 'shell' ? "by the image's /bin/sh" : 'directly, no shell'}]`,
    'Nothing was started.',
    '',
  ].join('\n');
}
