import { checkUntamperable } from '../system/check-untamperable.ts';
import { runAsRoot } from '../system/run-as-root.ts';
import { asClause, JobError } from '../values/errors.ts';
import { findCommand } from '../confirmation/find-command.ts';

/** slurm.conf as slurmctld has it in force: `Epilog` → `/etc/slurm/epilog`; a setting without a value is absent. */
export type SlurmSettings = ReadonlyMap<string, string>;

const deadlineMs = 10_000;

/**
 * Asks slurmctld for its settings, with nothing of the caller's environment. Fails with `SCHEDULER_UNREACHABLE`, and as root
 * with `CONFIG_UNTRUSTED` when somebody else could change the command.
 */
export async function readSettings(commandPath: string): Promise<SlurmSettings> {
  const scontrol = findCommand('scontrol', 'Slurm', commandPath);
  // The helper refuses such a command path, and doctor is what is run next to find out why.
  if (process.geteuid?.() === 0) await checkUntamperable(scontrol, { expected: 'program' });
  const result = await runAsRoot(scontrol, ['show', 'config'], {
    timeoutMs: deadlineMs,
    maxBuffer: 4 * 1024 ** 2,
    detached: false,
  });
  if (!result.failed) return parseSettings(result.stdout);
  const said = result.stderr.trim().split('\n', 1)[0] ?? '';
  throw new JobError({
    code: 'SCHEDULER_UNREACHABLE',
    message: `slurmctld did not tell its settings: ${said || asClause(result.shortMessage ?? '')}.`,
    hint: 'scontrol ping says whether it is there.',
  });
}

/** Lines `Name = value`; newer releases write `Epilog[0] = …` where several may stand: the first counts. */
export function parseSettings(text: string): SlurmSettings {
  const settings = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name, rest = ''] = /^([A-Za-z]\w*)(?:\[\d+\])?\s*=(.*)$/s.exec(line) ?? [];
    const value = rest.trim();
    if (name === undefined || value === '(null)' || value === '') continue;
    if (!settings.has(name)) settings.set(name, value);
  }
  return settings;
}
