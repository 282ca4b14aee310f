import { accessSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { JobCommand } from '../../contract/job-request.ts';
import { readRegularFileSync } from '../../system/read-regular-file.ts';
import { hintAtScheduler } from './scheduler-commands.ts';

type Environment = Readonly<Record<string, string>>;

/** Why a program could not be started, for its user, and the status that a shell would give it. */
export function explainFailedStart(
  file: string,
  error: NodeJS.ErrnoException,
  environment: Environment,
): { readonly exitStatus: number; readonly reason: string } {
  const isMissing = error.code === 'ENOENT' || error.code === 'ENOTDIR';
  if (error.code === 'EACCES') return { exitStatus: 126, reason: 'it is not executable, or you may not read it' };
  const found = findFile(file, environment['PATH'] ?? '');
  const fault = found === undefined ? undefined : describeFault(found);
  if (!isMissing) return { exitStatus: 126, reason: fault ?? error.message };
  const reason = found === undefined ? 'not found in the image' : 'it is there, but its interpreter is not';
  return {
    exitStatus: 127,
    reason: fault ?? (endsInCarriageReturn(file) ? windowsCommand : `${reason}${hintAtName(file)}`),
  };
}

function hintAtName(file: string): string {
  const ofScheduler = hintAtScheduler(file);
  return ofScheduler === undefined ? hintAtBlanks(file) : `; ${ofScheduler}`;
}

/** A whole line in quotes is one word, and so the name of one program. */
function hintAtBlanks(file: string): string {
  const words = file.trim().split(/\s+/);
  if (words.length === 1 && words[0] === file) return '';
  return /[|&;<>()$`"'*?~]/.test(file) || words.length === 1
    ? '. It is one word with blanks; for a line of a shell write: -- sh -c LINE'
    : `. It is one word with blanks: write the words apart, without quotes around them all (-- ${words.slice(0, 3).join(' ')}${words.length > 3 ? ' …' : ''}), or: -- sh -c LINE`;
}

const windowsCommand = 'the word ends in a carriage return: the batch script has Windows line ends (CR LF)';
/** More words of a command are not looked at. */
const mostWords = 32;

/**
 * A hint for the user of a command that has failed by itself: a script among its words has Windows line ends, a program
 * is one of another machine, or one of the scheduler's. Undefined when nothing of the kind is to be seen.
 */
export function hintAtFault(command: JobCommand, environment: Environment, exitStatus: number): string | undefined {
  const words = command.kind === 'argv' ? command.argv : command.text.split(/[ \t\n;&|()<>"']+/);
  const couldNotStart = exitStatus === 126 || exitStatus === 127;
  for (const [at, word] of words.slice(0, mostWords).entries()) {
    if (endsInCarriageReturn(word)) return `${JSON.stringify(word.slice(0, 200))}: ${windowsCommand}`;
    const found = word === '' ? undefined : findFile(word, environment['PATH'] ?? '');
    const fault = found === undefined ? undefined : describeFault(found);
    // A script that is given to its interpreter needs none of its first line, but its line ends are wrong all the same.
    if (fault !== undefined && (at === 0 || couldNotStart || fault.includes('CR LF'))) return `${word}: ${fault}`;
    const ofScheduler = found === undefined && couldNotStart ? hintAtScheduler(word) : undefined;
    if (ofScheduler !== undefined) return `${word}: ${ofScheduler}`;
  }
  return undefined;
}

function endsInCarriageReturn(word: string): boolean {
  return word.endsWith('\r');
}

function findFile(file: string, path: string): string | undefined {
  const candidates = file.includes('/') ? [file] : path.split(':').map((directory) => join(directory, file));
  return candidates.find(isFile);
}

/** False for what cannot be looked at, too. */
function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    return false;
  }
}

/** What is wrong with a program that is there; undefined when nothing is, or nothing that shows. */
function describeFault(path: string): string | undefined {
  try {
    const head = readRegularFileSync(path, { mostBytes: headBytes, longer: 'cut' });
    if (head.subarray(0, 4).equals(elfMagic)) return describeElfFault(head);
    return head.subarray(0, 2).toString() === '#!' ? describeScriptFault(head, path) : undefined;
  } catch {
    return undefined; // it may not be read, has gone or has been exchanged
  }
}

const headBytes = 4096;

function describeScriptFault(head: Buffer, path: string): string | undefined {
  const [line = ''] = head.toString('latin1').slice(2).split('\n');
  if (line.endsWith('\r'))
    return `it has Windows line ends (CR LF), so its interpreter is looked for by a wrong name; this mends it: sed -i 's/\\r$//' ${path}`;
  const [interpreter = ''] = line.trim().split(/[ \t]/);
  return isThere(interpreter) ? undefined : `its interpreter ${JSON.stringify(interpreter)} is not in the image`;
}

const elfMagic = Buffer.from('\u007fELF', 'latin1');
/** Numbers of ELF for the machines that we run on. */
const machines: Readonly<Record<string, number>> = { x64: 62, arm64: 183 };
const machineNames: Readonly<Record<number, string>> = {
  3: 'x86 (32 bits)',
  21: 'ppc64',
  22: 's390x',
  40: 'arm (32 bits)',
  62: 'x86_64',
  183: 'aarch64',
  243: 'riscv64',
};

function describeElfFault(head: Buffer): string | undefined {
  const isLittle = head.readUInt8(5) === 1;
  const machine = isLittle ? head.readUInt16LE(18) : head.readUInt16BE(18);
  const own = machines[process.arch] ?? machine;
  // A kernel may run its 32-bit programs, too: the loader tells then.
  if (machine !== own && machine !== 3 && machine !== 40)
    return `it is a program for ${machineNames[machine] ?? `machine ${machine}`}, and this host is ${machineNames[own] ?? process.arch}`;
  const loader = isLittle && head.readUInt8(4) === 2 ? findLoader(head) : undefined;
  if (loader === undefined || isThere(loader)) return undefined;
  return `its loader ${JSON.stringify(loader)} is not in the image: it was built for another C library`;
}

const interpreterSegment = 3;

function findLoader(head: Buffer): string | undefined {
  const [offset, size, count] = [Number(head.readBigUInt64LE(32)), head.readUInt16LE(54), head.readUInt16LE(56)];
  for (let at = offset, left = count; left > 0 && at + size <= head.length; at += size, left -= 1) {
    if (head.readUInt32LE(at) !== interpreterSegment) continue;
    const [from, length] = [Number(head.readBigUInt64LE(at + 8)), Number(head.readBigUInt64LE(at + 32))];
    return head
      .subarray(from, from + length)
      .toString('latin1')
      .replace(/\0.*$/s, '');
  }
  return undefined;
}

function isThere(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}
