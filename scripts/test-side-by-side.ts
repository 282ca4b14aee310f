/**
 * Runs the groups of tests at the same time, each in a vitest of its own: most of them wait for daemons, and none has a
 * lab in common with another. Every line says which group speaks. Ends with 1 when any group fails.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { execa } from 'execa';

const vitest = [process.execPath, '--disable-warning=ExperimentalWarning', '--disable-warning=DEP0123'];
const run = [...vitest, 'node_modules/vitest/vitest.mjs', 'run'];

/** The integration tests release all that they find in /run/hpc-dockerjob: they get one of their own. */
const apart = [
  ...['unshare', '--mount', '--', 'sh', '-c'],
  'mount -t tmpfs -o mode=0700 hpcdj-test /run/hpc-dockerjob && exec "$@"',
  'sh',
];

const groups: Readonly<Record<string, readonly string[]>> = {
  integration: [...apart, ...run, '--project', 'unit', '--project', 'integration'],
  e2e: [...run, '--project', 'e2e'],
  'e2e-labs': [...run, '--project', 'e2e-labs'],
};

const ends = Object.entries(groups).map(async ([name, [file = '', ...argv]]) => {
  // A terminal's interrupt reaches all of them by itself; other signals are passed on.
  const child = execa(file, argv, { all: true, buffer: false, reject: false, stdin: 'ignore', cleanup: false });
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  const lines = createInterface({ input: child.all, crlfDelay: Infinity });
  lines.on('line', (line) => console.log(`${name.padEnd(11)} │ ${line}`));
  const closed = once(lines, 'close');
  const { exitCode } = await child;
  await closed;
  console.log(`${name.padEnd(11)} │ ended with status ${exitCode ?? 'none: it was killed'}`);
  return exitCode ?? 1;
});
process.on('SIGINT', () => undefined); // wait for the labs to be taken down
process.exitCode = (await Promise.all(ends)).every((status) => status === 0) ? 0 : 1;
