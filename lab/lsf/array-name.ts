/** Job names that make an array: `name[1-10:2,20]`. */
import { CommandError } from './command-error.ts';

const maxElements = 1000;

/** The indices that a job name asks for, with the step and the last index that its elements are told; undefined for a plain name. */
export function parseArrayName(
  name: string,
): { readonly indices: readonly number[]; readonly step: number; readonly end: number } | undefined {
  const list = /^[^[]*\[([\d,:-]+)\](?:%\d+)?$/.exec(name)?.[1];
  if (list === undefined) return undefined;
  const indices: number[] = [];
  let step = 1;
  for (const part of list.split(',')) {
    const match = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(part);
    if (match === null) throw new CommandError(`Bad job name: ${name}. Job not submitted.`);
    const first = Number(match[1]);
    const last = Number(match[2] ?? first);
    const stride = Math.max(1, Number(match[3] ?? 1));
    if (first < 1 || last < first || last - first > maxElements * stride)
      throw new CommandError(`Bad job name: ${name}. Job not submitted.`);
    step = stride;
    for (let index = first; index <= last; index += stride) indices.push(index);
  }
  return { indices: [...new Set(indices)], step, end: Math.max(...indices) };
}
