import { readFileSync } from 'node:fs';

const mostAncestors = 6;

/**
 * The command line of a submission, when it was given in bsub's words; undefined for a script, of which LSF tells the same,
 * and where LSF tells none (LSB_SUB_COMMANDNAME). `parameterText` is what LSF says of the submission.
 */
export function findCommandLine(parameterText: string, listAncestors = readAncestors): string | undefined {
  const line = /^LSB_SUB_COMMAND_LINE="(.*)"\s*$/m.exec(parameterText)?.[1];
  if (line === undefined || line === '') return undefined;
  return listAncestors().some((argv) => argv.length > 1 && argv.join(' ').endsWith(` ${line}`)) ? line : undefined;
}

/** Command lines of the processes above this one: a shell, and then bsub. */
function readAncestors(): readonly (readonly string[])[] {
  const found: (readonly string[])[] = [];
  let pid = process.ppid;
  for (let left = mostAncestors; left > 0 && pid > 1; left -= 1) {
    try {
      found.push(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1));
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      pid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    } catch {
      break;
    }
  }
  return found;
}
