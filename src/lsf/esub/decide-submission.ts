import { JobError } from '../../values/errors.ts';
import { findNearestName } from '../../values/nearest-name.ts';
import { oneLine } from '../../values/one-line.ts';
import { findSecondCommand } from './find-second-command.ts';
import { addLicenses } from './merge-resources.ts';

/** What a job is to run in. */
export type Wanted = { readonly application: string } | { readonly image: string };

/** What the site wants of jobs of an application; empty texts and 0 say nothing. */
export interface SubmissionRule {
  readonly queue: string;
  readonly resReq: string;
  readonly licenses: string;
  readonly runLimitSeconds: number;
}

/** The site's policy, as far as a submission needs it. */
export interface SubmissionPolicy {
  /** What jobs of `bsub -a NAME` run in. */
  alias(name: string): Wanted | undefined;
  readonly aliasNames: readonly string[];
  /** What jobs of a queue run in that name nothing themselves. */
  queueDefault(queue: string): Wanted | undefined;
  /** Fails with a `JobError` when the site does not allow it. */
  judge(wanted: Wanted): void;
  isApplication(name: string): boolean;
  ruleOf(application: string): SubmissionRule | undefined;
}

export interface Submission {
  /** The name by which this esub was called, as in `bsub -a NAME`; undefined for the one of every submission. */
  readonly alias: string | undefined;
  /** True when LSF has an esub of this name; one that it does not have it ignores without a word. */
  isServed(name: string): boolean;
  readonly parameters: ReadonlyMap<string, string>;
  readonly environment: NodeJS.ProcessEnv;
  /** What bsub was given as the command; undefined for a script, and where LSF does not tell it. */
  readonly commandLine?: string | undefined;
}

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
  if (parameters.get('LSB_SUB_MODIFY') === 'Y') return noChanges;
  const named = namesOf(parameters);
  // The esub of every submission does the work of an alias whose own link is missing on this host.
  const alias = submission.alias ?? named.find((name) => isAlias(policy, name) && !submission.isServed(name));
  const unserved = named.filter((name) => !isAlias(policy, name) && !submission.isServed(name));
  const ignored = submission.alias === undefined ? unserved.map((name) => noteIgnored(policy, name)) : [];
  const wanted = findWanted({ ...submission, alias }, policy);
  if (wanted === undefined) return { ...noChanges, notes: ignored };
  policy.judge(wanted);
  if (alias !== undefined && parameters.has('LSB_SUB_LOGIN_SHELL')) {
    throw new JobError({
      code: 'REQUEST_INVALID',
      message: `bsub -L does not go with -a ${alias}: a login shell drops the environment that tells the job its image.`,
      hint: 'Submit without -L.',
    });
  }
  if (alias !== undefined) refuseSecondCommand(alias, submission.commandLine);
  const rule = 'application' in wanted ? policy.ruleOf(wanted.application) : undefined;
  const changes = rule === undefined ? { parameters: {}, notes: [] } : applyRule(rule, parameters);
  return {
    parameters: changes.parameters,
    environment: alias === undefined ? {} : toEnvironment(wanted),
    needsStarter: alias !== undefined,
    notes: [...ignored, ...changes.notes],
  };
}

/** Fails with `REQUEST_INVALID` for a line of which only the first command would be run in the image. */
function refuseSecondCommand(alias: string, line = ''): void {
  const second = findSecondCommand(line);
  if (second === undefined) return;
  throw new JobError({
    code: 'REQUEST_INVALID',
    message: `bsub -a ${alias}: only the first command would run in the image, and on the host itself: ${oneLine(second, 120)}.`,
    hint: "Submit a script (bsub < script), or one command: bash -c '…'.",
  });
}

/** The names of `bsub -a "one two(x)"`. */
function namesOf(parameters: ReadonlyMap<string, string>): readonly string[] {
  const words = (parameters.get('LSB_SUB_ADDITIONAL') ?? '').split(/\s+/).map((word) => word.replace(/\(.*$/, ''));
  return words.filter((name) => name !== '');
}

function isAlias(policy: SubmissionPolicy, name: string): boolean {
  return policy.alias(name) !== undefined;
}

/** Fails with `APPLICATION_UNKNOWN` for a name that looks like a misspelt alias: the job would run on the host itself. */
function noteIgnored(policy: SubmissionPolicy, name: string): string {
  const meant = findNearestName(name, policy.aliasNames);
  if (meant === undefined) return `bsub -a ${name}: there is no esub of that name, LSF ignores it`;
  throw new JobError({
    code: 'APPLICATION_UNKNOWN',
    message: `bsub -a ${name}: this site has no image of that name, and LSF would run the job without one.`,
    hint: `Did you mean "${meant}"?`,
  });
}

function findWanted({ alias, parameters, environment }: Submission, policy: SubmissionPolicy): Wanted | undefined {
  if (alias !== undefined) {
    const wanted = policy.alias(alias);
    if (wanted !== undefined) return wanted;
    throw new JobError({
      code: 'APPLICATION_UNKNOWN',
      message: `bsub -a ${alias}: this site has no image of that name.`,
      hint: 'Ask the administrators (site.yaml lsf.aliases).',
    });
  }
  // Each alias has an esub of its own, which is called as well.
  if (namesOf(parameters).some((name) => isAlias(policy, name))) return undefined;
  const application = environment['APPLICATION'] ?? '';
  // Other programs may use a variable of that name; with COMMAND beside it, it is meant for us.
  const isOurs = policy.isApplication(application) || (environment['COMMAND'] ?? '') !== '';
  if (application !== '' && isOurs) return { application };
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
