import { isDeepStrictEqual } from 'node:util';
import { JobError } from '../../values/errors.ts';
import { oneLine } from '../../values/one-line.ts';
import { everyName } from './list-own-esubs.ts';
import { parseEsubNames } from './parse-esub-names.ts';
import type { NamedEsub } from './parse-esub-names.ts';
import type { Submission, SubmissionPolicy, Wanted } from './submission.ts';

/** What a submission names by `bsub -a`. */
export interface NamedImage {
  readonly wanted: Wanted;
  /** As the user has written it: `foam`, `docker(hpc/foam:2)`. */
  readonly label: string;
}

/**
 * The image that this call of the esub has to see to: that of its own name, or for the esub of every submission that of
 * a name whose own esub LSF will not call: a link that is missing, arguments where LSF knows none. Undefined when there
 * is none. Fails with a `JobError` for a name that cannot be followed, and for several images.
 */
export function findNamedImage(submission: Submission, policy: SubmissionPolicy): NamedImage | undefined {
  const named = namesOf(submission);
  const isForUs = (each: NamedEsub): boolean =>
    takesImage(each, submission) || (policy.alias(each.name) !== undefined && !submission.isServed(each.name));
  const { alias, words = [] } = submission;
  const mine =
    alias === undefined && words.length === 0 ? named.find(isForUs) : ownCall(submission, alias ?? everyName);
  if (mine === undefined) return undefined;
  const image = readImage(mine, policy);
  for (const other of named.filter((each) => policy.alias(each.name) !== undefined || takesImage(each, submission))) {
    // LSF may have filled in what it has read of ours, so that the text beside it does not say the same any more.
    const ours = other.name === mine.name ? (named.find(({ name }) => name === mine.name) ?? mine) : mine;
    if (!isDeepStrictEqual(readImage(other, policy).wanted, readImage(ours, policy).wanted))
      throw severalImages(image.label, labelOf(other));
  }
  return image;
}

/** Fails with `REQUEST_INVALID` for a change of a job (bmod) that names another image: the job keeps its own. */
export function refuseOtherImage(submission: Submission, policy: SubmissionPolicy): void {
  const named = namesOf(submission).find(
    (each) => takesImage(each, submission) && policy.alias(each.name) === undefined,
  );
  if (named === undefined) return;
  throw new JobError({
    code: 'REQUEST_INVALID',
    message: `bmod -a '${labelOf(named)}': a job keeps the image that it was submitted with.`,
    hint: 'End it (bkill) and submit it again with the other image.',
  });
}

/** True when `bsub -a` gives one of our esubs an argument: who does so wants an image. */
export function namesImage(submission: Pick<Submission, 'parameters' | 'ownEsubs'>): boolean {
  return namesOf(submission).some((each) => takesImage(each, submission));
}

export function namesOf({ parameters }: Pick<Submission, 'parameters'>): readonly NamedEsub[] {
  // A line end in it cuts it off, and leaves the quote that LSF has put before it.
  return parseEsubNames((parameters.get('LSB_SUB_ADDITIONAL') ?? '').replace(/^"/, ''));
}

/** True for a name that has parentheses and is a link to this esub. */
function takesImage(named: NamedEsub, { ownEsubs }: Pick<Submission, 'ownEsubs'>): boolean {
  return hasParentheses(named) && ownEsubs?.has(named.name) === true;
}

export function hasParentheses({ words, isBroken }: NamedEsub): boolean {
  return words !== undefined || isBroken === true;
}

/** The name by which LSF calls this esub, with what LSF itself has read in its parentheses where it says that. */
function ownCall(submission: Submission, alias: string): NamedEsub {
  const { words = [] } = submission;
  if (words.length > 0) return { name: alias, words };
  return namesOf(submission).find(({ name }) => name === alias) ?? { name: alias };
}

function readImage(named: NamedEsub, policy: SubmissionPolicy): NamedImage {
  const { name, words, isBroken } = named;
  if (isBroken === true) throw invalid(named, 'a parenthesis is not closed, or was not opened.', usage(name));
  const wanted = policy.alias(name);
  if (wanted !== undefined) {
    if (words === undefined || words.length === 0) return { wanted, label: name };
    throw invalid(named, `${name} has its image from the site, and takes none in parentheses.`, `bsub -a ${name}`);
  }
  if (words === undefined) throw unknownName(name);
  const [image = '', ...more] = words;
  if (more.length > 0) throw invalid(named, `these are ${words.length} images, and a job runs in one.`, usage(name));
  if (image === '') throw invalid(named, 'no image stands in the parentheses.', usage(name));
  if (policy.alias(image) !== undefined)
    throw invalid(named, `${image} is no image, but a name that the site has for one.`, `bsub -a ${image}`);
  return { wanted: { image }, label: labelOf(named) };
}

function unknownName(name: string): JobError {
  return new JobError({
    code: 'APPLICATION_UNKNOWN',
    message: `bsub -a ${oneLine(name, 60)}: this site has no image of that name.`,
    hint: `Name an image: ${usage(oneLine(name, 60))}, or ask the administrators for a name (site.yaml lsf.aliases).`,
  });
}

function invalid(named: NamedEsub, reason: string, write: string): JobError {
  return new JobError({
    code: 'REQUEST_INVALID',
    message: `bsub -a '${labelOf(named)}': ${reason}`,
    hint: `Write ${write}.`,
  });
}

function severalImages(one: string, other: string): JobError {
  return new JobError({
    code: 'REQUEST_INVALID',
    message: `bsub -a names several images, ${one} and ${other}, and a job runs in one.`,
    hint: 'Name one.',
  });
}

function usage(name: string): string {
  return `bsub -a '${name}(IMAGE)'`;
}

export function labelOf({ name, words, isBroken }: NamedEsub): string {
  const inside = isBroken === true ? '(…' : words === undefined ? '' : `(${words.join(',')})`;
  return oneLine(`${name}${inside}`, 120);
}
