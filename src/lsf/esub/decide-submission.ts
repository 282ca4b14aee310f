import { namesApplication } from '../../contract/names-application.ts';
import { JobError } from '../../values/errors.ts';
import { findNearestName } from '../../values/nearest-name.ts';
import { oneLine } from '../../values/one-line.ts';
import { findSecondCommand } from './find-second-command.ts';
import { addLicenses } from './merge-resources.ts';
import { everyName } from './list-own-esubs.ts';
import { findNamedImage, hasParentheses, labelOf, namesOf, refuseOtherImage } from './named-image.ts';
import type { NamedEsub } from './parse-esub-names.ts';
import type { Submission, SubmissionPolicy, SubmissionRule, Wanted } from './submission.ts';

export type { Submission, SubmissionPolicy, SubmissionRule, Wanted } from './submission.ts';

/** What LSF is to change about the submission. */
export interface SubmissionChanges {
  readonly parameters: Readonly<Record<string, string | number>>;
  readonly environment: Readonly<Record<string, string>>;
  /** True when only the queue's job starter can put the job into its image. */
  readonly needsStarter: boolean;
  /** For the user. */
  readonly notes: readonly string[];
}

const noChanges: SubmissionChanges = { parameters: {}, environment: {}, needsStarter: false, notes: [] };

/**
 * What becomes of a submission; throws the `JobError` for which it is refused. The image travels in the environment and
 * the queue's job starter uses it: LSF's file of changes cannot hold every command line, the environment can hold every
 * image. All of it is advice to the user's own job: what may run is decided again when it starts.
 */
export function decideSubmission(submission: Submission, policy: SubmissionPolicy): SubmissionChanges {
  const { parameters } = submission;
  // A change of a job that is there already: it has its image, and lists only what changes.
  if (parameters.get('LSB_SUB_MODIFY') === 'Y') {
    refuseOtherImage(submission, policy);
    return noChanges;
  }
  const ignored = submission.alias === undefined ? listIgnored(submission, policy) : [];
  const named = findNamedImage(submission, policy);
  const wanted = named?.wanted ?? findUnnamed(submission, policy);
  if (wanted === undefined) return { ...noChanges, notes: ignored };
  policy.judge(wanted);
  if (named !== undefined && parameters.has('LSB_SUB_LOGIN_SHELL')) {
    throw new JobError({
      code: 'REQUEST_INVALID',
      message: `bsub -L does not go with -a ${named.label}: a login shell drops the environment that tells the job its image.`,
      hint: 'Submit without -L.',
    });
  }
  if (named !== undefined) refuseSecondCommand(named.label, submission.commandLine);
  const rule = 'application' in wanted ? policy.ruleOf(wanted.application) : undefined;
  const changes = rule === undefined ? { parameters: {}, notes: [] } : applyRule(rule, parameters);
  return {
    parameters: changes.parameters,
    environment: named === undefined ? {} : toEnvironment(wanted),
    needsStarter: named !== undefined,
    notes: [...ignored, ...changes.notes],
  };
}

/** Fails with `REQUEST_INVALID` for a line of which only the first command would be run in the image. */
function refuseSecondCommand(label: string, line = ''): void {
  const second = findSecondCommand(line);
  if (second === undefined) return;
  throw new JobError({
    code: 'REQUEST_INVALID',
    message: `bsub -a ${label}: only the first command would run in the image, and on the host itself: ${oneLine(second, 120)}.`,
    hint: "Submit a script (bsub < script), or one command: bash -c '…'.",
  });
}

/** What LSF will ignore of `bsub -a`. Fails with `APPLICATION_UNKNOWN` where the job would then run on the host itself. */
function listIgnored(submission: Submission, policy: SubmissionPolicy): readonly string[] {
  return namesOf(submission)
    .filter(({ name }) => policy.alias(name) === undefined && !submission.isServed(name))
    .map((named) => noteIgnored(policy, submission, named));
}

/** A name that looks like a misspelt one of ours, or that has arguments, was meant to do something. */
function noteIgnored(policy: SubmissionPolicy, { ownEsubs }: Submission, named: NamedEsub): string {
  const label = labelOf(named);
  const meant = findNearestName(named.name, [...policy.aliasNames, ...(ownEsubs ?? [])]);
  if (meant === undefined && !hasParentheses(named))
    return `bsub -a ${label}: there is no esub of that name, LSF ignores it`;
  throw new JobError({
    code: 'APPLICATION_UNKNOWN',
    message: `bsub -a ${label}: this site has no image of that name, and LSF would run the job without one.`,
    hint:
      meant === undefined
        ? 'Leave it out, or ask the administrators: there is no esub of that name on this host.'
        : `Did you mean "${meant}"?`,
  });
}

/** What a job runs in that names nothing by `bsub -a`. */
function findUnnamed(submission: Submission, policy: SubmissionPolicy): Wanted | undefined {
  const { environment, parameters, ownEsubs } = submission;
  // Each of these has an esub of its own, which is called as well.
  const isServedElsewhere = ({ name }: NamedEsub): boolean =>
    policy.alias(name) !== undefined || (name !== everyName && ownEsubs?.has(name) === true);
  if (namesOf(submission).some(isServedElsewhere)) return undefined;
  if (namesApplication(environment, (name) => policy.isApplication(name)))
    return { application: environment['APPLICATION'] ?? '' };
  return policy.queueDefault(parameters.get('LSB_SUB_QUEUE') ?? '');
}

/** Both names are always set: one that the user has in his environment must not stand beside it. */
function toEnvironment(wanted: Wanted): Readonly<Record<string, string>> {
  return {
    HPCDJ_APPLICATION: 'application' in wanted ? wanted.application : '',
    HPCDJ_IMAGE: 'image' in wanted ? wanted.image : '',
  };
}

function applyRule(
  rule: SubmissionRule,
  parameters: ReadonlyMap<string, string>,
): Pick<SubmissionChanges, 'parameters' | 'notes'> {
  const changes: Record<string, string | number> = {};
  const notes: string[] = [];
  const queue = parameters.get('LSB_SUB_QUEUE');
  if (rule.queue !== '' && rule.queue !== queue) {
    changes['LSB_SUB_QUEUE'] = rule.queue;
    notes.push(`queue ${rule.queue}${queue === undefined ? '' : ` instead of ${queue}`}, as the site wants for it`);
  }
  const asked = parameters.get('LSB_SUB_RES_REQ') ?? '';
  const base = asked === '' ? rule.resReq : asked;
  const resReq = rule.licenses === '' ? base : addLicenses(base, rule.licenses);
  if (resReq !== asked) {
    changes['LSB_SUB_RES_REQ'] = resReq;
    notes.push(`resources ${resReq}`);
  }
  const limit = Number(parameters.get('LSB_SUB_RLIMIT_RUN') ?? NaN);
  if (rule.runLimitSeconds > 0 && !(limit > 0 && limit <= rule.runLimitSeconds)) {
    changes['LSB_SUB_RLIMIT_RUN'] = rule.runLimitSeconds;
    notes.push(`run limit ${Math.round(rule.runLimitSeconds / 60)} min${limit > 0 ? ', the most for it' : ''}`);
  }
  return { parameters: changes, notes };
}
