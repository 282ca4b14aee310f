/** bmod: changes options of a job that waits, after the esubs had their say. */
import { findUser, ownUser } from './accounts.ts';
import { askMaster } from './ask-master.ts';
import { parseBsubOptions } from './bsub-options.ts';
import { CommandError } from './command-error.ts';
import { runEsubs } from './run-esubs.ts';
import type { Settings } from './settings.ts';
import { textOf } from './wire.ts';

/** Asks for the change; an esub sees the changed options only, and the job's number as the command line. */
export async function bmod(settings: Settings, argv: readonly string[]): Promise<number> {
  const { request, words } = parseBsubOptions(argv);
  const [job = ''] = words;
  if (!/^\d+(?:\[\d+\])?$/.test(job)) throw new CommandError('Job ID is missing.');
  const { minSlots: _min, maxSlots: _max, ...given } = request;
  const slotsGiven = argv.some((word) => word.startsWith('-n'));
  const user = settings.auth === 'none' ? ownUser() : await findUser(process.getuid?.() ?? 0);
  const outcome = await runEsubs(
    { ...request, command: job },
    { settings, environment: process.env, group: user?.group ?? '', slotsGiven, modifies: true },
  );
  const changed = outcome.request;
  const keys = [...Object.keys(given), ...(slotsGiven ? ['minSlots', 'maxSlots'] : [])];
  const changes = Object.fromEntries(Object.entries(changed).filter(([key]) => keys.includes(key)));
  const answer = await askMaster(settings, { type: 'modify', job, changes });
  if (answer.type !== 'modified') throw new CommandError(textOf(answer, 'reason'));
  process.stdout.write(`Parameters of job <${job}> are being changed\n`);
  return 0;
}
