import { hostNameSchema } from '../contract/job-request.ts';

/** What `qstat -f` says of one job, of the attributes that PBS itself writes. */
export interface JobFacts {
  /** As PBS shows it, without the server's name. */
  readonly id: string;
  readonly state: string;
  /** The account under which it runs. */
  readonly user: string;
  /** In which it was put; undefined where the answer does not say it. */
  readonly queue: string | undefined;
  /** As shown; empty while it has no hosts. */
  readonly execHost: string;
}

const jobLine = /^Job Id: *(\d+(?:\[\d*\])?)\.\S+$/;
/** `name` or `name.resource` behind four blanks. */
const attributeLine = /^ {4}([A-Za-z_][\w.]*) = (.*)$/s;
/** Attributes of which there is one at most. */
const wanted = ['Job_Owner', 'job_state', 'queue', 'exec_host'] as const;
type Attribute = (typeof wanted)[number];

/**
 * The one job in the answer to `qstat -f ID`; undefined when it cannot be read. Values are printed as they are, folded by a
 * line end and a tabulator (OpenPBS src/cmds/qstat.c, prt_attr), so a variable of a user's that holds line ends makes lines
 * of its own: what then stands there twice is not believed. The form with -F json would hide a second value.
 */
export function readQstat(text: string): JobFacts | undefined {
  const [first = '', ...lines] = text.replaceAll('\n\t', '').trimEnd().split('\n');
  const id = jobLine.exec(first)?.[1];
  if (id === undefined || lines.some((line) => line.startsWith('Job Id'))) return undefined;
  const found = new Map<Attribute, string>();
  for (const line of lines) {
    const [, name, value = ''] = attributeLine.exec(line) ?? [];
    const attribute = wanted.find((each) => each === name);
    if (attribute === undefined) continue;
    if (found.has(attribute)) return undefined;
    found.set(attribute, value.trim());
  }
  const [owner, state] = [found.get('Job_Owner'), found.get('job_state')];
  if (owner === undefined || state === undefined) return undefined;
  // Not euser: it is shown to managers only, so elsewhere a user's own line of that name would stand alone.
  const user = owner.replace(/@.*$/s, '');
  return { id, state, user, queue: found.get('queue'), execHost: found.get('exec_host') ?? '' };
}

/**
 * Hosts with their slots out of exec_host: `n1/0*4+n2/1` (OpenPBS: processors behind "*"), `n1/0+n1/1` and `n1/0-3,5`
 * (Torque: numbers of slots). Undefined for a text of no such form.
 */
export function parseExecHost(text: string): ReadonlyMap<string, number> | undefined {
  const slots = new Map<string, number>();
  for (const part of text.split('+')) {
    const [, name = '', numbers = '', times] = /^([^/\s]+)\/([\d,-]+)(?:\*(\d{1,5}))?$/.exec(part) ?? [];
    const count = times === undefined ? countNumbers(numbers) : Math.max(1, Number(times));
    if (count === undefined || !hostNameSchema.safeParse(name).success) return undefined;
    slots.set(name, (slots.get(name) ?? 0) + count);
  }
  return slots;
}

/** `0-3,5` is five numbers. */
function countNumbers(list: string): number | undefined {
  let count = 0;
  for (const range of list.split(',')) {
    const [, low = '', high = low] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range) ?? [];
    if (low === '' || Number(high) < Number(low)) return undefined;
    count += Number(high) - Number(low) + 1;
  }
  return count;
}
