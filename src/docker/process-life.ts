import { readFile } from 'node:fs/promises';

/** A container's first process by the kernel's word, which needs no engine. */
export interface ProcessLife {
  /** False once it has ended, though its pid may be another's by now. */
  isAlive(): Promise<boolean>;
}

/** The life of the process that has this pid now. */
export async function lifeOf(pid: number): Promise<ProcessLife> {
  const began = await readBegin(pid);
  return { isAlive: async () => began !== undefined && (await readBegin(pid)) === began };
}

/** When it began, in ticks since the host's start; undefined when it has ended, also while nobody has taken note of that. */
async function readBegin(pid: number): Promise<string | undefined> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name in brackets may hold anything; the third field, the state, follows its last bracket.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return /^[ZX]$/.test(fields[0] ?? '') ? undefined : fields[22 - 3];
}
