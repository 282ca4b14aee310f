import { JobError } from '../values/errors.ts';
import { hostNameSchema } from '../contract/job-request.ts';

/** Slurm's own limit for one range; here it bounds the whole list, since a job has no more hosts than that. */
const maxHosts = 65_536;

/** Digits of a range bound that a JavaScript number still holds exactly. */
const maxDigits = 15;

/**
 * The host names of a Slurm host list, in its order, repeats kept: `n[08-10],x` is n08 n09 n10 x.
 * Fails with `ALLOCATION_INVALID`, which says what is wrong, when any part is not a host list.
 */
export function expandHostList(text: string): string[] {
  const names: string[] = [];
  for (const item of splitOutsideBrackets(text)) {
    for (const name of expandItem(item, text)) {
      if (!hostNameSchema.safeParse(name).success) throw invalid(text, `"${name.slice(0, 80)}" is not a host name`);
      names.push(name);
      if (names.length > maxHosts) throw invalid(text, `it names more than ${maxHosts} hosts`);
    }
  }
  return names;
}

/** Commas separate hosts outside brackets, ranges inside. */
function splitOutsideBrackets(text: string): string[] {
  const items: string[] = [];
  let start = 0;
  let isInside = false;
  for (let position = 0; position <= text.length; position++) {
    const character = text[position] ?? ',';
    if (character === '[') {
      if (isInside) throw invalid(text, 'a bracket is opened inside another');
      isInside = true;
    } else if (character === ']') {
      if (!isInside) throw invalid(text, 'a bracket is closed that was not opened');
      isInside = false;
    } else if (position === text.length && isInside) {
      throw invalid(text, 'a bracket is not closed');
    } else if (character === ',' && !isInside) {
      items.push(text.slice(start, position));
      start = position + 1;
    }
  }
  return items;
}

/** `r[1-2]c[1-2]` is r1c1 r1c2 r2c1 r2c2: the left group is the outermost. */
function expandItem(item: string, text: string): string[] {
  if (item === '') throw invalid(text, 'a host name is missing');
  let names = [''];
  for (const [, literal, ranges] of item.matchAll(/([^[\]]+)|\[([^[\]]*)\]/g)) {
    const parts = literal === undefined ? expandRanges(ranges ?? '', text) : [literal];
    if (names.length * parts.length > maxHosts) throw invalid(text, `it names more than ${maxHosts} hosts`);
    names = names.flatMap((name) => parts.map((part) => name + part));
  }
  return names;
}

/** `001-003,7` is 001 002 003 7: the lower bound gives the width. */
function expandRanges(ranges: string, text: string): string[] {
  const parts: string[] = [];
  for (const range of ranges.split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(range);
    const low = match?.[1];
    if (low === undefined) throw invalid(text, `"${range.slice(0, 80)}" is not a range of numbers`);
    const high = match?.[2] ?? low;
    if (Math.max(low.length, high.length) > maxDigits) throw invalid(text, 'a number is too long');
    const count = Number(high) - Number(low) + 1;
    if (count < 1) throw invalid(text, `the range ${range} runs backwards`);
    if (parts.length + count > maxHosts) throw invalid(text, `it names more than ${maxHosts} hosts`);
    for (let offset = 0; offset < count; offset++) parts.push(String(Number(low) + offset).padStart(low.length, '0'));
  }
  return parts;
}

function invalid(text: string, reason: string): JobError {
  return new JobError({
    code: 'ALLOCATION_INVALID',
    message: `The host list ${JSON.stringify(text.slice(0, 200))} cannot be read: ${reason}.`,
    hint: 'Host lists look like node[01-04,7],login1, as `scontrol show hostnames` takes them.',
  });
}
