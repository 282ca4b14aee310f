import { readFile } from 'node:fs/promises';

/** What the kernel says in a file of its own; undefined where there is none. Never fails. */
export async function readKernelFile(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(() => undefined);
}

/** The number that `pattern` finds in it; undefined where there is none. Never fails. */
export async function readKernelNumber(path: string, pattern: RegExp): Promise<number | undefined> {
  const [, digits] = pattern.exec((await readKernelFile(path)) ?? '') ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** In which cgroups a process is, as /proc tells; empty when it has ended. Never fails. */
export async function readCgroupsOf(pid: number): Promise<string> {
  return (await readKernelFile(`/proc/${pid}/cgroup`)) ?? '';
}

/** No machine has so much: cgroup v1 writes no limit as the greatest number of pages. */
const noLimit = 2 ** 60;

/** A limit of memory as the kernel writes it; undefined for a number that stands for none. */
export function asLimit(bytes: number | undefined): number | undefined {
  return bytes === undefined || bytes >= noLimit ? undefined : bytes;
}
