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
  /** What LSF has given this esub as arguments: the parentheses of `bsub -a 'NAME(a,b)'`. */
  readonly words?: readonly string[];
  /** Names of LSF's esubs that are this one: those that are no alias take an image in parentheses. */
  readonly ownEsubs?: ReadonlySet<string>;
  /** True when LSF has an esub of this name; one that it does not have it ignores without a word. */
  isServed(name: string): boolean;
  readonly parameters: ReadonlyMap<string, string>;
  readonly environment: NodeJS.ProcessEnv;
  /** What bsub was given as the command; undefined for a script, and where LSF does not tell it. */
  readonly commandLine?: string | undefined;
}
