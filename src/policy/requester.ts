/** No text: a queue may have any name. */
const any = Symbol('any');

/** A user as far as rules ask for one. A number that is not known fits no rule. */
export interface JudgedUser {
  readonly name: string;
  readonly uid: number | undefined;
  readonly groups: readonly { readonly name: string; readonly gid: number | undefined }[];
}

/** For whom a request is judged. `any` stands for what is not known yet: a rule about it then refuses nothing. */
export interface Requester {
  /** As the user database of the judging host knows them; undefined for nobody in particular. */
  readonly user: JudgedUser | undefined | typeof any;
  /** Partition or queue of the job; undefined where the scheduler tells none, which no rule about queues admits. */
  readonly queue: string | undefined | typeof any;
}

/** A request that anybody may make, anywhere: the rules about users, groups and queues are left to a later judge. */
export const anyRequester: Requester = { user: any, queue: any };

/** For a user and a queue of which each may not be known yet: the rules about that one are left to a later judge. */
export function requesterSoFar({
  user,
  queue,
}: {
  readonly user: JudgedUser | undefined;
  readonly queue: string | undefined;
}): Requester {
  return { user: user ?? any, queue: queue ?? any };
}

/** Nobody in particular, in no queue: gets what is for everybody. */
export const unknownRequester: Requester = { user: undefined, queue: undefined };

/** Who may use an entry of site.yaml. Each list that is not empty must hold. */
export interface Admission {
  readonly users: readonly string[];
  readonly groups: readonly string[];
  readonly partitions: readonly string[];
  readonly queues: readonly string[];
}

/** What keeps an entry from a requester: the list of the entry that does not hold, and why in words. */
export interface Bar {
  readonly list: keyof Admission;
  readonly words: string;
}

/** Why the entry is not for this requester; undefined when it is. */
export function findBar(entry: Admission, { user, queue }: Requester): Bar | undefined {
  if (user !== any) {
    if (entry.users.length > 0 && !(user !== undefined && isNamed(entry.users, user.name, user.uid)))
      return { list: 'users', words: `it is for the users ${entry.users.join(', ')}` };
    if (entry.groups.length > 0 && user?.groups.some(({ name, gid }) => isNamed(entry.groups, name, gid)) !== true)
      return { list: 'groups', words: `it is for the groups ${entry.groups.join(', ')}` };
  }
  const queues = queuesOf(entry);
  if (queues.length === 0 || queue === any) return undefined;
  if (queue !== undefined && queues.includes(queue)) return undefined;
  return {
    list: entry.partitions.length > 0 ? 'partitions' : 'queues',
    words: `it is for jobs in ${queues.join(', ')}, and this one is in ${queue ?? 'no partition or queue that the scheduler tells'}`,
  };
}

/** True when the entry is not for everybody. */
export function hasConditions(entry: Admission): boolean {
  return [entry.users, entry.groups, entry.partitions, entry.queues].some((list) => list.length > 0);
}

/** True when the entry asks in which partition or queue a job is. */
export function asksForQueue(entry: Admission): boolean {
  return queuesOf(entry).length > 0;
}

/** ` (users alice, groups cfd)`, for a list of what is allowed; empty for an entry that is for everybody. */
export function describeAdmission(entry: Admission): string {
  const limits = [
    ...(entry.users.length === 0 ? [] : [`users ${entry.users.join(', ')}`]),
    ...(entry.groups.length === 0 ? [] : [`groups ${entry.groups.join(', ')}`]),
    ...(asksForQueue(entry) ? [`jobs in ${queuesOf(entry).join(', ')}`] : []),
  ];
  return limits.length === 0 ? '' : ` (${limits.join('; ')})`;
}

/** Slurm says partition where others say queue: a site may use either word. */
function queuesOf({ partitions, queues }: Admission): readonly string[] {
  return [...partitions, ...queues];
}

/** By name, or by number where a directory's names are unwieldy. */
function isNamed(list: readonly string[], name: string, id: number | undefined): boolean {
  return list.includes(name) || (id !== undefined && list.includes(String(id)));
}
