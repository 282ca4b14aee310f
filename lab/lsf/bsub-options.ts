/** The options of bsub, read as getopt would. Pure. */
import { CommandError } from './command-error.ts';
import type { JobRequest } from './job.ts';
import { parseMinutes } from './queues.ts';

// Every letter of the recorded system with a value has a colon. What is not understood is misread, never refused:
// `-app x` is `-a pp` and the command `x`.
const optionLetters = 'n:J:q:o:e:i:W:R:a:E:L:P:M:m:f:u:w:b:t:c:C:D:F:S:v:p:IKxHrNBsh';

export interface BsubOptions {
  readonly request: Omit<JobRequest, 'command'>;
  /** True for `-K`: bsub stays until the job has ended. */
  readonly waits: boolean;
  readonly words: readonly string[];
}

/** Reads the argument vector up to the first word that is no option: the job's command begins there. */
export function parseBsubOptions(argv: readonly string[]): BsubOptions {
  const values = new Map<string, string[]>();
  const rest = [...argv];
  while (rest[0]?.startsWith('-') && rest[0] !== '-') {
    const word = rest.shift() ?? '';
    if (word === '--') break;
    readWord(word, rest, values);
  }
  return { request: toRequest(values), waits: values.has('K'), words: rest };
}

function readWord(word: string, rest: string[], values: Map<string, string[]>): void {
  const add = (name: string, value: string): void => {
    values.set(name, [...(values.get(name) ?? []), value]);
  };
  if (word === '-Ep') {
    add('Ep', takeValue('-Ep', rest));
    return;
  }
  if (word === '-Ip' || word === '-Is') {
    add('I', '');
    return;
  }
  for (let at = 1; at < word.length; at += 1) {
    const letter = word[at] ?? '';
    const place = letter === ':' ? -1 : optionLetters.indexOf(letter);
    if (place < 0) throw new CommandError(`bsub: invalid option -- '${letter}'\n${usage}`);
    if (optionLetters[place + 1] !== ':') {
      add(letter, '');
      continue;
    }
    const attached = word.slice(at + 1);
    add(letter, attached === '' ? takeValue(`-${letter}`, rest) : attached);
    return;
  }
}

export const usage =
  'usage: bsub [-n min[,max]] [-J name] [-q queue] [-o file] [-e file] [-W [hours:]minutes] [-R text] … [command]';

function takeValue(option: string, rest: string[]): string {
  const value = rest.shift();
  if (value === undefined)
    throw new CommandError(`bsub: option requires an argument -- '${option.slice(1)}'\n${usage}`);
  return value;
}

function toRequest(values: ReadonlyMap<string, readonly string[]>): BsubOptions['request'] {
  const text = (key: keyof JobRequest, option: string): Partial<JobRequest> => {
    const value = values.get(option)?.at(-1);
    return value === undefined ? {} : { [key]: value };
  };
  const flag = (key: keyof JobRequest, option: string): Partial<JobRequest> =>
    values.has(option) ? { [key]: true } : {};
  const [minSlots = 1, maxSlots = minSlots] = parseSlots(values.get('n')?.at(-1) ?? '1');
  const runLimit = values.get('W')?.at(-1);
  const memory = values.get('M')?.at(-1);
  const files = values.get('f');
  return {
    minSlots,
    maxSlots,
    ...text('name', 'J'),
    ...text('queue', 'q'),
    ...text('inFile', 'i'),
    ...text('outFile', 'o'),
    ...text('errFile', 'e'),
    ...text('resReq', 'R'),
    ...text('hosts', 'm'),
    ...text('project', 'P'),
    ...text('preExec', 'E'),
    ...text('postExec', 'Ep'),
    ...text('loginShell', 'L'),
    ...text('additional', 'a'),
    ...flag('exclusive', 'x'),
    ...flag('hold', 'H'),
    ...flag('interactive', 'I'),
    ...(runLimit === undefined ? {} : { runLimitSeconds: toSeconds(runLimit) }),
    ...(memory === undefined ? {} : { memoryLimit: Number(memory) }),
    ...(files === undefined ? {} : { otherFiles: files }),
  };
}

function parseSlots(text: string): number[] {
  if (!/^\d+(,\d+)?$/.test(text)) throw new CommandError(`${text}: Bad processor count. Job not submitted.`);
  return text.split(',').map(Number);
}

function toSeconds(text: string): number {
  const minutes = parseMinutes(text);
  if (!Number.isFinite(minutes)) throw new CommandError(`${text}: Bad RUNLIMIT specification. Job not submitted.`);
  return minutes * 60;
}
