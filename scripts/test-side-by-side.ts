/**
 * Runs the tests that need daemons in two lanes at the same time, each in a vitest of its own: most of them wait, and no
 * lane has a lab in common with the other. Every line says which lane speaks. Ends with 1 when a lane fails.
 * More lanes would be more than two cores can bear: the tests have deadlines.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { execa } from 'execa';

/** Vitest projects, and about the same time for each lane. */
const lanes: Readonly<Record<string, readonly string[]>> = {
  slurm: ['e2e', 'e2e-gridengine'],
  lsf: ['integration', 'e2e-lsf'],
};

const vitest = [...process.execArgv, 'node_modules/vitest/vitest.mjs', 'run'];

const ends = Object.entries(lanes).map(async ([lane, projects]) => {
  const argv = [...vitest, ...projects.flatMap((project) => ['--project', project])];
  // A terminal's interrupt reaches both by itself; of other signals they know TERM.
  const child = execa(process.execPath, argv, {
    ...{ all: true, buffer: false, reject: false, stdin: 'ignore', cleanup: false },
    forceKillAfterDelay: false, // a signal has it take its labs down, which takes longer than execa's five seconds
  });
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill('SIGTERM'));
  const lines = createInterface({ input: child.all, crlfDelay: Infinity });
  lines.on('line', (line) => console.log(`${lane.padEnd(5)} │ ${line}`));
  const closed = once(lines, 'close');
  const { exitCode } = await child;
  await closed;
  console.log(`${lane.padEnd(5)} │ ended with status ${exitCode ?? 'none: it was killed'}`);
  return exitCode ?? 1;
});
process.on('SIGINT', () => undefined); // wait for the labs to be taken down
process.exitCode = (await Promise.all(ends)).every((status) => status === 0) ? 0 : 1;
