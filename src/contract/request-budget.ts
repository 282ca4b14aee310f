import { JobError } from '../values/errors.ts';
import type { JobPlan } from './job-plan.ts';
import { mostCommandWords } from './job-request.ts';
import type { JobRequest, LateCommand, PlannedCommand } from './job-request.ts';

/**
 * What one job may write into the store that all jobs share, in bytes. A plan is written once, read by every host, and stays in the
 * store's history until that is compacted.
 */
export const mostEnvironmentBytes = 64 * 1024;
/** All words of the command together; a single one is bounded by Linux, see `commandSchema`. */
const mostCommandBytes = 128 * 1024;
/** Hosts of one job: with so many its discovery was measured, see bench/README.md. */
export const mostHosts = 4096;
/** More than `mostHosts` hosts with names of usual length beside an environment and a command of usual size. */
export const mostPlanBytes = 512 * 1024;

/** Names and values of the variables, each with the two bytes (`=` and an end) that a process has for it. */
export function environmentBytes(environment: Readonly<Record<string, string>>): number {
  return Object.entries(environment).reduce((sum, [name, value]) => sum + bytesOf(name) + bytesOf(value) + 2, 0);
}

/** All words of the command, each with its end. A command that comes later has none yet. */
export function commandBytes(command: PlannedCommand): number {
  if (command.kind === 'later') return 0;
  return command.kind === 'shell'
    ? bytesOf(command.text) + 1
    : command.argv.reduce((sum, word) => sum + bytesOf(word) + 1, 0);
}

/** True when environment and command are within their bounds. */
export function isWithinBudget({ environment, command }: Pick<LateCommand, 'environment' | 'command'>): boolean {
  return environmentBytes(environment) <= mostEnvironmentBytes && commandBytes(command) <= mostCommandBytes;
}

const shorterCommand =
  'Put it into a script below the workdir, or let the command expand the file names itself: -- sh -c "prog *.dat".';

/** Fails with `REQUEST_INVALID`, which names the part that is too large and what to do. */
export function refuseOversized({ environment, command }: Pick<JobRequest, 'environment' | 'command'>): void {
  const ofEnvironment = environmentBytes(environment);
  if (ofEnvironment > mostEnvironmentBytes) {
    const [largest] = Object.entries(environment).sort(([, a], [, b]) => bytesOf(b) - bytesOf(a));
    throw tooLarge(
      `The variables of --env together have ${inKiB(ofEnvironment)}, of which ${largest?.[0].slice(0, 60)} has ${inKiB(bytesOf(largest?.[1] ?? ''))}; at most ${inKiB(mostEnvironmentBytes)} are allowed`,
      'Pass on only what the command needs, or write the values to a file below the workdir and read it there.',
    );
  }
  const words = command.kind === 'argv' ? command.argv.length : 0;
  if (words > mostCommandWords)
    throw tooLarge(`The command has ${words} words; at most ${mostCommandWords} are allowed`, shorterCommand);
  const ofCommand = commandBytes(command);
  if (ofCommand > mostCommandBytes) {
    throw tooLarge(
      `The command has ${inKiB(ofCommand)} in all its words; at most ${inKiB(mostCommandBytes)} are allowed`,
      shorterCommand,
    );
  }
}

/** Fails with `REQUEST_INVALID` when the plan as a whole is too large for the store; names its largest parts. `text` is the plan as it is written. */
export function refuseLargePlan(plan: JobPlan, text: string): void {
  const whole = bytesOf(text);
  if (whole <= mostPlanBytes) return;
  const parts = (['environment', 'command', 'mounts', 'nodes'] as const)
    .map((name) => ({ name, bytes: bytesOf(JSON.stringify(plan[name])) }))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, 2)
    .map(({ name, bytes }) => `${name === 'nodes' ? `${plan.nodes.length} hosts` : name} ${inKiB(bytes)}`);
  throw tooLarge(
    `The plan of job ${plan.job} has ${inKiB(whole)} (${parts.join(', ')}); at most ${inKiB(mostPlanBytes)} fit into the store`,
    'Use fewer or shorter variables, mounts or hosts.',
  );
}

function tooLarge(message: string, hint: string): JobError {
  return new JobError({ code: 'REQUEST_INVALID', message: `${message}.`, hint });
}

function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}

function inKiB(bytes: number): string {
  return bytes < 1024 ? `${bytes} bytes` : `${(bytes / 1024).toFixed(1).replace(/\.0$/, '')} KiB`;
}
