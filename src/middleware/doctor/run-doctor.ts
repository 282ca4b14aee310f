import { dirname, resolve } from 'node:path';
import { defaultSitePath } from '../../config/load-site.ts';
import type { SiteConfig } from '../../config/site-schema.ts';
import type { Check, Finding } from '../../contract/finding.ts';
import { skipped } from '../../contract/finding.ts';
import type { SchedulerName } from '../../contract/schedulers.ts';
import { helperArgv, helperPath } from '../call-helper.ts';
import { askHelper } from './ask-helper.ts';
import { checkCommands } from './check-commands.ts';
import { checkDockerPort } from './check-docker-port.ts';
import { checkDockerSocket } from './check-docker-socket.ts';
import { checkHelper } from './check-helper.ts';
import { checkHostName } from './check-host-name.ts';
import { checkPolicy } from './check-policy.ts';
import { checkProgram } from './check-program.ts';
import { checkSubnetPool } from './check-subnet-pool.ts';
import { checkSudoRule } from './check-sudo-rule.ts';
import type { SchedulerChecks } from './list-scheduler-checks.ts';
import { listSchedulerChecks } from './list-scheduler-checks.ts';
import { runChecks } from '../../system/run-checks.ts';

const deadlineMs = 30_000;

/**
 * Looks at everything on this host that jobs in containers depend on, and changes nothing. What needs root is asked of
 * the helper. Never fails: what is wrong is in the findings.
 */
export async function runDoctor(
  known: Readonly<Record<SchedulerName, SchedulerChecks>>,
  scheduler: SchedulerName | undefined,
): Promise<readonly Finding[]> {
  const isRoot = process.getuid?.() === 0;
  const packageDirectory = resolve(dirname(process.argv[1] ?? ''), '..');
  let site: SiteConfig | undefined;
  const base = await runChecks(
    [
      checkPolicy(defaultSitePath, (loaded) => (site = loaded)),
      checkProgram(packageDirectory, helperPath()),
      checkSudoRule(helperPath(), isRoot),
      checkHostName(),
      checkDockerPort(),
    ],
    deadlineMs,
  );
  // All others judge by the policy: without a valid one they would tell of its faults again.
  if (site === undefined) return [...base, notWithoutPolicy];
  const isCallable = isRoot || base.every(({ check, verdict }) => check !== 'sudo-rule' || verdict !== 'fail');
  return [...base, ...(await runSiteChecks(site, { isRoot, isCallable, known, scheduler }))];
}

const notWithoutPolicy: Finding = { check: 'others', verdict: 'skip', message: 'they need a valid policy' };

interface SiteCheckOptions {
  readonly isRoot: boolean;
  /** False when sudo is known to refuse the call. */
  readonly isCallable: boolean;
  readonly known: Readonly<Record<SchedulerName, SchedulerChecks>>;
  readonly scheduler: SchedulerName | undefined;
}

async function runSiteChecks(
  site: SiteConfig,
  { isRoot, isCallable, known, scheduler }: SiteCheckOptions,
): Promise<readonly Finding[]> {
  let byRoot: readonly Finding[] = [];
  const question = { scope: 'full', ...(scheduler === undefined ? {} : { scheduler }) } as const;
  const call: readonly [string, ...string[]] = isRoot ? [helperPath(), 'check-host'] : helperArgv('check-host');
  const helper = checkHelper(
    async () => await askHelper(call, question),
    (findings) => (byRoot = findings),
  );
  const own: readonly Check[] = [
    checkDockerSocket(site.docker.socket),
    checkCommands(site.scheduler.commandPath),
    checkSubnetPool(site.network.pool),
    ...(await listSchedulerChecks(known, site, scheduler)),
    isCallable ? helper : { name: helper.name, look: () => skipped('needs the sudo rule') },
  ];
  const findings = await runChecks(own, deadlineMs);
  return [...findings, ...byRoot];
}
