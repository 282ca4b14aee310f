/** The files through which bsub and an esub speak: the parameter file and what the esub writes back. Pure. */
import type { JobRequest } from './job.ts';

type Draft = JobRequest;

type Kind = 'string' | 'number' | 'flag';

/** LSB_SUB_* key, the part of the request it stands for, and how its value is written. */
const keys: readonly (readonly [string, keyof Draft, Kind])[] = [
  ['LSB_SUB_JOB_NAME', 'name', 'string'],
  ['LSB_SUB_QUEUE', 'queue', 'string'],
  ['LSB_SUB_IN_FILE', 'inFile', 'string'],
  ['LSB_SUB_OUT_FILE', 'outFile', 'string'],
  ['LSB_SUB_ERR_FILE', 'errFile', 'string'],
  ['LSB_SUB_HOSTS', 'hosts', 'string'],
  ['LSB_SUB_RES_REQ', 'resReq', 'string'],
  ['LSB_SUB_PRE_EXEC', 'preExec', 'string'],
  ['LSB_SUB_POST_EXEC', 'postExec', 'string'],
  ['LSB_SUB_LOGIN_SHELL', 'loginShell', 'string'],
  ['LSB_SUB_PROJECT_NAME', 'project', 'string'],
  ['LSB_SUB_RLIMIT_RSS', 'memoryLimit', 'number'],
  ['LSB_SUB_RLIMIT_RUN', 'runLimitSeconds', 'number'],
  ['LSB_SUB_EXCLUSIVE', 'exclusive', 'flag'],
  ['LSB_SUB_HOLD', 'hold', 'flag'],
  ['LSB_SUB_INTERACTIVE', 'interactive', 'flag'],
  ['LSB_SUB_NUM_PROCESSORS', 'minSlots', 'number'],
  ['LSB_SUB_MAX_NUM_PROCESSORS', 'maxSlots', 'number'],
];

/**
 * The parameter file. Strings are escaped, but LSB_SUB_COMMAND_LINE is not, as recorded: an esub that sources this file
 * runs parts of the user's command line.
 */
export function renderParameters(
  request: JobRequest,
  given: { readonly slots: boolean; readonly namesCommand: boolean; readonly modifies?: boolean },
): string {
  const lines: string[] = [];
  for (const [key, part, kind] of keys) {
    const value = request[part];
    if (value === undefined || (kind === 'number' && part.endsWith('Slots') && !given.slots)) continue;
    lines.push(
      kind === 'string' ? `${key}="${escapeQuotes(String(value))}"` : `${key}=${kind === 'flag' ? 'Y' : String(value)}`,
    );
  }
  const files = request.otherFiles ?? [];
  if (files.length > 0) lines.push(`LSB_SUB_OTHER_FILES=${files.length}`);
  files.forEach((file, index) => lines.push(`LSB_SUB_OTHER_FILES_${index}="${escapeQuotes(file)}"`));
  if (request.additional !== undefined) lines.push(`LSB_SUB_ADDITIONAL="${escapeQuotes(request.additional)}"`);
  if (given.modifies === true) lines.push('LSB_SUB_MODIFY=Y');
  if (given.namesCommand) {
    lines.push(`LSB_SUB_COMMANDNAME="${request.command.split(/\s/)[0] ?? ''}"`);
    lines.push(`LSB_SUB_COMMAND_LINE="${request.command}"`);
  }
  return `${lines.join('\n')}\n`;
}

function escapeQuotes(text: string): string {
  return text.replaceAll('"', '\\"');
}

/** The request with an esub's changes, and a warning per line that was ignored. */
export function applyChanges(request: JobRequest, text: string): { request: JobRequest; warnings: string[] } {
  const warnings: string[] = [];
  let draft = request;
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.trim().startsWith('#')) continue;
    const changed = applyLine(draft, line);
    if (typeof changed === 'string') warnings.push(changed);
    else draft = changed;
  }
  return { request: draft, warnings };
}

function applyLine(request: JobRequest, line: string): JobRequest | string {
  const [, key = '', value = ''] = /^\s*(\w+)=(.*?)\s*$/.exec(line) ?? [];
  // No escape exists: a quote inside ends the value badly.
  const quoted = /^"([^"\\]*)"$/.exec(value)?.[1];
  const bad = `Bad value "${line.trim()}" in the esub's modification file will be ignored.`;
  if (key === 'LSB_SUB_COMMAND_LINE') {
    if (quoted === undefined) return bad;
    // From now on it is a command, also when the job was a script.
    const { script: _, ...rest } = request;
    return { ...rest, command: quoted };
  }
  const entry = keys.find(([name]) => name === key);
  if (entry === undefined)
    return `Unknown parameter "${key || line.trim()}" in the esub's modification file will be ignored.`;
  const [, part, kind] = entry;
  const { [part]: _, ...without } = request;
  if (value === 'SUB_RESET') return { minSlots: 1, maxSlots: 1, command: request.command, ...without };
  if (kind === 'flag') return value === 'Y' ? { ...request, [part]: true } : bad;
  if (kind === 'number')
    return /^"?\d+"?$/.test(value) ? setNumber(request, part, Number(value.replaceAll('"', ''))) : bad;
  return quoted === undefined ? bad : { ...request, [part]: quoted };
}

function setNumber(request: JobRequest, part: keyof JobRequest, value: number): JobRequest {
  if (part === 'minSlots') return { ...request, minSlots: value, maxSlots: Math.max(value, request.maxSlots) };
  if (part === 'maxSlots') return { ...request, maxSlots: value, minSlots: Math.min(value, request.minSlots) };
  return { ...request, [part]: value };
}

/** Variables an esub sets: taken literally; a quoted value ends at the next quote, an unquoted one at the first blank. */
export function parseEnvironment(text: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const match = /^\s*([A-Za-z_]\w*)=(?:"([^"]*)"?|(\S*))/.exec(line);
    if (match?.[1] !== undefined) variables[match[1]] = match[2] ?? match[3] ?? '';
  }
  return variables;
}
