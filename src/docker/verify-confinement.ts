import { readFile } from 'node:fs/promises';
import { JobError } from '../values/errors.ts';
import { retryUntil } from '../system/retry-until.ts';

export interface Confinement {
  readonly uid: number;
  readonly gid: number;
  readonly supplementaryGids: readonly number[];
}

/** The last steps of confinement happen just before the program's first instruction, after the engine's answer. */
const deadlineMs = 5000;

/**
 * Promises that a just started process has exactly these ids and groups, no capability, no new privileges and a seccomp
 * filter: by the kernel's word, not the engine's. An image can name groups so that the engine adds other ones than asked
 * for. Fails with `HOST_UNFIT`; the caller must then remove the container.
 */
export async function verifyConfinement(pid: number, expected: Confinement): Promise<void> {
  let faults: readonly string[] = [];
  const look = async (): Promise<true | undefined> => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => undefined);
    if (status === undefined) throw unfit('its first process ended at once');
    faults = findConfinementFaults(status, expected);
    return faults.length === 0 || isConfined(status) ? true : undefined;
  };
  await retryUntil(look, { pauseMs: 20, deadlineMs });
  if (faults.length > 0) throw unfit(faults.join(', '));
}

/** The seccomp filter comes last, just before the program: from then on nothing changes. */
function isConfined(status: string): boolean {
  return /^Seccomp:\s*2$/m.test(status);
}

function unfit(reason: string): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: `The container is not confined as it must be: ${reason}.`,
    hint: 'Either the image changes groups in its /etc/group, or the Docker Engine of this host lacks seccomp.',
  });
}

/** NaN, which is nobody's, for what the kernel does not write. */
function toId(text: string): number {
  return /^\d{1,10}$/.test(text) ? Number(text) : NaN;
}

/** What in the text of /proc/PID/status differs from what was asked for; empty when nothing does. */
export function findConfinementFaults(status: string, expected: Confinement): readonly string[] {
  const fields = new Map(
    status.split('\n').map((line) => {
      const separator = line.indexOf(':');
      return [line.slice(0, separator), line.slice(separator + 1).trim()] as const;
    }),
  );
  const numbers = (name: string): number[] => (fields.get(name) ?? '').split(/\s+/).filter(Boolean).map(toId);
  const sameIds = (name: string, id: number): boolean =>
    numbers(name).length === 4 && numbers(name).every((found) => found === id);
  const allowedGroups = new Set([expected.gid, ...expected.supplementaryGids]);
  const strange = numbers('Groups').filter((gid) => !allowedGroups.has(gid));
  const capabilities = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].filter(
    (name) => !/^0+$/.test(fields.get(name) ?? ''),
  );
  return [
    ...(sameIds('Uid', expected.uid) ? [] : [`uid ${fields.get('Uid')} instead of ${expected.uid}`]),
    ...(sameIds('Gid', expected.gid) ? [] : [`gid ${fields.get('Gid')} instead of ${expected.gid}`]),
    ...(strange.length === 0 ? [] : [`groups ${strange.join(' ')} that its user does not have`]),
    ...(capabilities.length === 0 ? [] : [`capabilities (${capabilities.join(' ')})`]),
    ...(fields.get('NoNewPrivs') === '1' ? [] : ['no no-new-privileges']),
    ...(fields.get('Seccomp') === '2' ? [] : ['no seccomp filter']),
  ];
}
