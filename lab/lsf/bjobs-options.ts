/** The options of bjobs. Pure. */
import { CommandError } from './command-error.ts';

export interface BjobsOptions {
  readonly form: 'plain' | 'wide' | 'long' | 'fields' | 'json';
  readonly fields: readonly string[];
  readonly delimiter?: string;
  readonly hasHeader: boolean;
  readonly all: boolean;
  /** One user's jobs, or everybody's; undefined means the caller's, or everybody's when jobs are named. */
  readonly user?: string;
  readonly states: readonly string[];
  readonly jobs: readonly string[];
}

const usage =
  'Usage: bjobs [-a] [-l|-w] [-o "fields [delimiter=\'c\']" [-json]] [-noheader] [-u user|all] [-r] [-p] [-s] [-d] [jobId ...]';

export function parseBjobs(argv: readonly string[]): BjobsOptions {
  const flags = new Set<string>();
  const values = new Map<string, string>();
  const jobs: string[] = [];
  const rest = [...argv];
  while (rest.length > 0) {
    const word = rest.shift() ?? '';
    if (/^-[oumqP]$/.test(word)) values.set(word, rest.shift() ?? '');
    else if (/^-(?:json|noheader|[alwrpsdAWX]|UF)$/.test(word)) flags.add(word);
    else if (/^\d+(?:\[\d+\])?$/.test(word)) jobs.push(word);
    else throw new CommandError(word.startsWith('-') ? usage : `${word}: Illegal job ID.`);
  }
  const format = parseFields(values.get('-o') ?? '');
  const form = flags.has('-l') ? 'long' : flags.has('-w') ? 'wide' : 'plain';
  const user = values.get('-u');
  return {
    form: values.has('-o') ? (flags.has('-json') ? 'json' : 'fields') : form,
    ...format,
    hasHeader: !flags.has('-noheader'),
    all: flags.has('-a'),
    ...(user === undefined ? {} : { user }),
    states: stateFlags.filter(([flag]) => flags.has(flag)).flatMap(([, states]) => states),
    jobs,
  };
}

const stateFlags: readonly (readonly [string, readonly string[]])[] = [
  ['-r', ['RUN']],
  ['-p', ['PEND', 'PSUSP']],
  ['-s', ['USUSP', 'SSUSP', 'PSUSP']],
  ['-d', ['DONE', 'EXIT']],
];

/** `jobid stat:10 user delimiter='^'`: widths are accepted, only the delimiter changes the form. */
function parseFields(text: string): { fields: string[]; delimiter?: string } {
  const delimiter = /delimiter=(?:'([^']*)'|"([^"]*)"|(\S+))/.exec(text);
  const fields = text
    .replace(delimiter?.[0] ?? '', '')
    .split(/\s+/)
    .filter(Boolean)
    .map((field) => field.replace(/:.*$/, '').toLowerCase());
  const sign = delimiter?.[1] ?? delimiter?.[2] ?? delimiter?.[3];
  return { fields, ...(sign === undefined ? {} : { delimiter: sign }) };
}
