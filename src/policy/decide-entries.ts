import { asksForQueue, describeAdmission, findBar } from './requester.ts';
import type { Admission, Bar, Requester } from './requester.ts';

/** An entry of a list in site.yaml from which requests choose. */
export interface Choosable extends Admission {
  /** Every container gets it, of those whom it is for. */
  readonly always: boolean;
}

/** A list of site.yaml, and what a job wants of it, by the names of entries. */
export interface Choice<Entry extends Choosable> {
  readonly allowed: readonly Entry[];
  readonly nameOf: (entry: Entry) => string;
  readonly ofApplication: readonly string[];
  readonly asked: readonly string[];
}

/** An entry that a job gets. */
export interface DecidedEntry<Entry extends Choosable> {
  readonly name: string;
  readonly entry: Entry;
  readonly why: 'always' | 'for the application' | 'as asked for';
}

/**
 * The entries that the containers of a job get. Fails with what `refuse` makes of the first that it wants and may not have.
 * What every container gets is left out for those whom it is not for: nobody has asked for it.
 */
export function decideEntries<Entry extends Choosable>(
  { allowed, nameOf, ofApplication, asked }: Choice<Entry>,
  requester: Requester,
  refuse: (name: string, bar: Bar | undefined) => Error,
): readonly DecidedEntry<Entry>[] {
  const wanted = new Map<string, DecidedEntry<Entry>['why']>();
  for (const entry of allowed)
    if (entry.always && findBar(entry, requester) === undefined) wanted.set(nameOf(entry), 'always');
  for (const name of ofApplication) wanted.set(name, 'for the application');
  for (const name of asked) wanted.set(name, 'as asked for');
  return [...wanted].map(([name, why]) => {
    const entry = allowed.find((each) => nameOf(each) === name);
    const bar = entry === undefined ? undefined : findBar(entry, requester);
    if (entry === undefined || bar !== undefined) throw refuse(name, bar);
    return { name, entry, why };
  });
}

/** True when the answer rests on the partition or queue of the job. */
export function entriesAskForQueue<Entry extends Choosable>(choice: Choice<Entry>): boolean {
  const { allowed, nameOf, ofApplication, asked } = choice;
  const wanted = [...ofApplication, ...asked];
  return allowed.some((entry) => asksForQueue(entry) && (entry.always || wanted.includes(nameOf(entry))));
}

/** All of the list, each with those whom it is for: what a refusal offers instead. */
export function listEntries<Entry extends Choosable>({
  allowed,
  nameOf,
}: Pick<Choice<Entry>, 'allowed' | 'nameOf'>): string {
  return allowed.map((entry) => `${nameOf(entry)}${describeAdmission(entry)}`).join(', ') || 'none';
}
