/**
 * `npm run test:machine`: stock Debian guests under qemu, and in them what the lab cannot show: another kernel, cgroup
 * v2, systemd, Docker's other cgroup driver, hosts that have an eth0. Prints a table and writes it to a file, also when
 * it is cut short; status 1 when a row is red.
 */
import { rmSync, writeSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { checkMachine, ensurePackages, machinePackages } from '../check-machine.ts';
import { describeFailure, LabError } from '../lab-error.ts';
import { machineCases } from './cases.ts';
import { releases } from './releases.ts';
import type { Release } from './releases.ts';
import { demoName, runDemo } from './run-demo.ts';
import { runMachine } from './run-machine.ts';
import { renderVerdicts } from './verdicts.ts';
import type { Verdict } from './verdicts.ts';

const failureStatus = 1;
const interruptedStatus = 130;
const unusableStatus = 69;
const defaultFile = 'node_modules/.machine-tests.md';
const factsDir = 'node_modules/.machine-tests';
const caseNames = [...machineCases.map(({ name }) => name), demoName];
const say = (line: string): void => void process.stderr.write(`${line}\n`);

interface Options {
  readonly cases?: readonly string[];
  readonly out: string;
  readonly apt: boolean;
}

await new Command('test:machine')
  .description('Boots stock Debian guests under qemu and runs jobs in them. Needs root; takes long without KVM.')
  .argument('[guests...]', `which: ${releases.map(({ name }) => name).join(', ')} (default: all)`)
  .option('--cases <names>', `which, with commas: ${caseNames.join(', ')} (default: all)`, toCaseNames)
  .option('--out <file>', 'the table goes to this file too', defaultFile)
  .option('--no-apt', 'fail instead of installing missing Debian packages')
  .action(main)
  .parseAsync();

async function main(guests: readonly string[], options: Options): Promise<void> {
  const verdicts: Verdict[] = [];
  const conclude = (): void => {
    if (verdicts.length > 0) writeSync(1, `\n${renderVerdicts(verdicts)}`);
    if (verdicts.some(({ isGreen }) => !isGreen)) say(`Of red rows, what the guests showed then: ${factsDir}`);
  };
  try {
    await runAll(guests.length === 0 ? releases : guests.map(findRelease), options, verdicts, conclude);
    if (verdicts.some(({ isGreen }) => !isGreen)) process.exitCode = failureStatus;
  } catch (error) {
    say(`test:machine: ${describeFailure(error)}`);
    process.exitCode = unusableStatus;
  }
  conclude();
}

async function runAll(
  chosen: readonly Release[],
  { cases = caseNames, out, apt }: Options,
  verdicts: Verdict[],
  conclude: () => void,
): Promise<void> {
  checkMachine();
  if (process.arch !== 'x64') throw new LabError(`Guests are made for x86_64 machines; this is ${process.arch}.`);
  const remark = await ensurePackages(apt, [], machinePackages);
  if (remark !== 'all present') say(`Debian packages: ${remark}`);
  await rm(factsDir, { recursive: true, force: true });
  const runDir = await mkdtemp(join(tmpdir(), 'hpcdj-machine-'));
  // Guests end with this process; what is left to take away is their directory.
  const stop = (signal: NodeJS.Signals): void => {
    say(`test:machine: cut short by ${signal}.`);
    conclude();
    rmSync(runDir, { recursive: true, force: true });
    process.exit(interruptedStatus);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  const report = async (verdict: Verdict): Promise<void> => {
    verdicts.push(verdict);
    const { machine, name, isGreen, seconds, reason } = verdict;
    say(`${isGreen ? 'green' : 'RED  '} ${seconds.toFixed(0).padStart(4)} s  ${machine}  ${name}  ${reason}`);
    await mkdir(dirname(resolve(out)), { recursive: true });
    await writeFile(out, renderVerdicts(verdicts));
  };
  try {
    for (const release of chosen) {
      const run = { release, runDir, factsDir, report };
      const inCluster = machineCases.filter(({ name }) => cases.includes(name));
      if (inCluster.length > 0) await runMachine({ ...run, cases: inCluster });
      if (cases.includes(demoName)) await runDemo(run);
    }
  } finally {
    await rm(runDir, { recursive: true, force: true });
  }
}

function findRelease(name: string): Release {
  const release = releases.find((known) => known.name === name);
  if (release !== undefined) return release;
  throw new LabError(`There is no guest "${name}".`, `Known: ${releases.map((known) => known.name).join(', ')}.`);
}

function toCaseNames(text: string): readonly string[] {
  const names = text.split(',');
  const unknown = names.find((name) => !caseNames.includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`There is no case "${unknown}".`);
  return names;
}
