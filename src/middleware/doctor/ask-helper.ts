import { execa } from 'execa';
import { asClause, JobError } from '../../values/errors.ts';
import type { Finding } from '../../contract/finding.ts';
import { findingSchema } from '../../contract/finding.ts';
import type { HostQuestion } from '../../contract/host-question.ts';
import { toJsonLine } from '../../values/json-line.ts';
import { findJsonAs } from '../../values/parse-json-as.ts';

/** The checks of the helper have shorter deadlines of their own. */
const usualDeadlineMs = 25_000;

/**
 * What root finds on this host: the helper's answer, by the command line that is given. Fails with
 * `HELPER_UNAVAILABLE`, or with the helper's own code when it refuses to work at all.
 */
export async function askHelper(
  [file, ...argv]: readonly [string, ...string[]],
  question: HostQuestion,
  deadlineMs = usualDeadlineMs,
): Promise<readonly Finding[]> {
  const result = await execa(file, argv, {
    input: toJsonLine(question),
    reject: false,
    timeout: deadlineMs,
    forceKillAfterDelay: 1000,
    maxBuffer: 1024 * 1024,
  });
  // What it had said by then may end in the middle of a line.
  if (result.timedOut) throw toError(`no answer within ${deadlineMs / 1000} s`);
  const findings = result.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map(readFinding);
  // It ends with a status of its findings; with none it has said on standard error why it refuses.
  if (findings.length > 0 || result.exitCode === 0) return findings;
  const said = result.stderr.trim().split('\n').at(-1) ?? '';
  throw toError(said || asClause(result.shortMessage));
}

/** The last line of the helper ends with its code; sudo's has none. */
function toError(reason: string): JobError {
  const [, message, code] = /^hpc-dockerjob-helper: (.*) \[([A-Z_]+)\]$/.exec(reason) ?? [];
  if (message !== undefined && code !== undefined)
    return JobError.fromWire({ code, message: `The helper refuses to work: ${message}` });
  return new JobError({
    code: 'HELPER_UNAVAILABLE',
    message: `The helper could not be used on this host: ${asClause(reason)}.`,
    hint: 'Run hpc-dockerjob-setup here again: it installs the sudo rule.',
  });
}

function readFinding(line: string): Finding {
  const finding = findJsonAs(findingSchema, line);
  if (finding !== undefined) return finding;
  throw new JobError({
    code: 'HELPER_UNAVAILABLE',
    message: `The helper on this host gave an answer that cannot be read: ${JSON.stringify(line.slice(0, 200))}.`,
    hint: 'Middleware and helper may be of different releases. Install the package again, then run hpc-dockerjob-setup.',
  });
}
