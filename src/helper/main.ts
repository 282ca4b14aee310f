import type { SiteConfig } from '../config/site-schema.ts';
import { outliveReaders } from '../system/flush-output.ts';
import { silentLog } from '../system/log.ts';
import type { JobError } from '../values/errors.ts';
import type { AuditedCall, CallAudit } from './audit/audit.ts';
import { openAudit } from './audit/open-audit.ts';
import type { CallerFacts } from './caller/identify-caller.ts';
import { identifyCaller, readCallerFacts, uidOf } from './caller/identify-caller.ts';
import { requireOutput, requireReader } from './caller/require-output.ts';
import type { ContextOptions, HelperContext } from './open-context.ts';
import { openHelperLog } from './open-helper-log.ts';
import { describeFailure } from './verbs/describe-failure.ts';
import { helperVerbs } from './verbs/helper-verbs.ts';
import { jobWord } from './verbs/helper-verb.ts';
import type { HelperVerb } from './verbs/helper-verb.ts';
import { readCommandLine } from './verbs/read-command-line.ts';
import { warn } from './verbs/say.ts';
import { writeHelp } from './verbs/write-help.ts';

/** Does what the command line asks for, by the table of verbs, and has it recorded. Resolves to the exit status. */
export async function main(argv: readonly string[], open = openAudit): Promise<number> {
  outliveReaders(process.stdout, process.stderr);
  // A scheduler that signals all processes of a job means its command; none of our own must end of it.
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => undefined);
  const facts = readCallerFacts(process.env);
  const verb = helperVerbs.find(({ name }) => name === argv[0]);
  let audit: CallAudit | undefined;
  let log = silentLog;
  let tell = tellFailure;
  const openAudited = async (options: ContextOptions = {}): Promise<HelperContext> => {
    const caller = identifyCaller(facts);
    const site = await loadPolicy();
    log = await openHelperLog(site.logging.level);
    log.info('call-begun', { words: argv, caller });
    log.debug('policy-loaded', { site: site.site, scheduler: site.scheduler, endpoints: site.etcd.endpoints });
    audit = open(site.audit, auditedCall(argv, verb, caller.kind === 'root' ? 0 : caller.uid));
    const { openContext } = await import('./open-context.ts');
    return await openContext(caller, site, audit, options);
  };
  try {
    for (const descriptor of [1, 2]) {
      requireOutput(descriptor);
      // What a short call says is a few lines.
      if (verb?.isLong === true && uidOf(facts) !== 0) requireReader(descriptor);
    }
    const line = readCommandLine(argv, helperVerbs);
    if (line.kind === 'help') process.stdout.write(writeHelp(line.verb, helperVerbs));
    else if (line.kind === 'version') process.stdout.write(`${process.env['HPCDJ_VERSION'] ?? 'development'}\n`);
    else {
      tell = line.verb.tellFailure ?? tellFailure;
      await line.verb.run({ ...line.call, openContext: openAudited });
    }
    const status = Number(process.exitCode ?? 0);
    audit?.end({ status, error: undefined, isLong: verb?.isLong === true });
    log.info('call-over', { status, ms: Math.round(performance.now()) });
    return status;
  } catch (thrown) {
    log.failed(thrown);
    const error = describeFailure(thrown);
    audit ??= await openAuditOfRefusal(facts, argv, verb, open);
    audit?.end({ status: error.exitStatus, error, isLong: verb?.isLong === true });
    tell(error);
    return error.exitStatus;
  } finally {
    await audit?.flush();
  }
}

function tellFailure(error: JobError): void {
  warn(error.toLine());
}

/** A call that was refused before its policy was loaded. Without root's rights nothing can be recorded, nor done. */
async function openAuditOfRefusal(
  facts: CallerFacts,
  argv: readonly string[],
  verb: HelperVerb | undefined,
  open: typeof openAudit,
): Promise<CallAudit | undefined> {
  if (facts.effectiveUid !== 0) return undefined;
  const site = await loadPolicy().catch(() => undefined);
  return open(site?.audit ?? syslogAlone, auditedCall(argv, verb, uidOf(facts)));
}

/** Loads the site's policy, and what reads it: a call that asks for help, or for nothing known, does without. */
async function loadPolicy(): Promise<SiteConfig> {
  const { defaultSitePath, loadSite } = await import('../config/load-site.ts');
  return await loadSite(defaultSitePath, { mustBeTrusted: true });
}

const syslogAlone: SiteConfig['audit'] = { file: '', required: false };

function auditedCall(
  [first, second]: readonly string[],
  verb: HelperVerb | undefined,
  uid: number | undefined,
): AuditedCall {
  return { uid, verb: first ?? '', job: verb?.words[0]?.name === jobWord.name ? second : undefined };
}
