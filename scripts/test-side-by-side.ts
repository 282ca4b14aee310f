/**
 * Runs the vitest projects that need daemons, two at a time, each in a vitest of its own: most of them wait, and none has a
 * lab in common with another. A lane that is free takes the next project, so that both end about the same time. Every line
 * says which project speaks. Ends with 1 when one fails. More lanes would be more than two cores can bear: the tests have
 * deadlines.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { execa } from 'execa';

/** The longest first; what comes last evens out the lanes. */
const waiting = ['e2e', 'e2e-lsf', 'integration', 'e2e-gridengine'];
const laneCount = 2;
const nameWidth = Math.max(...waiting.map((project) => project.length));
const more = process.argv.slice(2);

const vitest = [...process.execArgv, 'node_modules/vitest/vitest.mjs', 'run'];

let isInterrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => (isInterrupted = true));

/** Runs one project to its end; an interrupted one takes its labs down first. Resolves to its exit status. */
async function runProject(project: string): Promise<number> {
  const child = execa(process.execPath, [...vitest, '--project', project, ...more], {
    ...{ all: true, buffer: false, reject: false, stdin: 'ignore', cleanup: false },
    forceKillAfterDelay: false, // taking labs down takes longer than execa's five seconds
  });
  // A terminal's interrupt reaches all by itself; of other signals vitest knows TERM.
  const passOn = (): void => void child.kill('SIGTERM');
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, passOn);
  const tell = (line: string): void => console.log(`${project.padEnd(nameWidth)} │ ${line}`);
  const lines = createInterface({ input: child.all, crlfDelay: Infinity });
  lines.on('line', tell);
  const closed = once(lines, 'close');
  const { exitCode } = await child;
  await closed;
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.removeListener(signal, passOn);
  tell(`ended with status ${exitCode ?? 'none: it was killed'}`);
  return exitCode ?? 1;
}

async function runLane(): Promise<boolean> {
  let isGood = true;
  for (let project = waiting.shift(); project !== undefined && !isInterrupted; project = waiting.shift())
    isGood = (await runProject(project)) === 0 && isGood;
  return isGood && !isInterrupted;
}

const results = await Promise.all(Array.from({ length: laneCount }, runLane));
process.exitCode = results.every(Boolean) ? 0 : 1;
