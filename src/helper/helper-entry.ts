import '../system/configure-zod.ts';
import { flushOutput } from '../system/flush-output.ts';
import { main } from './main.ts';
import { shedInheritance } from './shed-inheritance.ts';
import { within } from '../system/deadline.ts';
import { asJobError } from '../values/errors.ts';
import { warn } from './verbs/say.ts';

/** The part of Node's terminal streams that no type knows. */
interface TerminalStream {
  readonly isTTY?: boolean;
  readonly _handle?: { readonly setBlocking?: (on: boolean) => void };
}

// Node writes to terminals synchronously: one that is stopped (^S) would stop us, with every lease and deadline.
for (const { isTTY, _handle } of [process.stdout, process.stderr] as readonly TerminalStream[])
  if (isTTY === true) _handle?.setBlocking?.(false);

// sudo leaves us the caller's own where it is the stricter one: containers could not read their passwd file then.
process.umask(0o022);

/** Undefined when nothing of the caller's is left here; else the exit status. Without root's rights nothing is recorded. */
function shed(): number | undefined {
  try {
    shedInheritance();
    return undefined;
  } catch (thrown) {
    const error = asJobError(thrown);
    warn(error.toLine());
    return error.exitStatus;
  }
}

async function run(): Promise<number> {
  const refused = shed();
  if (refused !== undefined) return refused;
  const rehearsal = process.env['HPCDJ_REHEARSAL'];
  if (rehearsal !== undefined) {
    const { rehearse } = await import('./rehearse.ts');
    await rehearse(rehearsal);
  }
  return await main(process.argv.slice(2));
}

/** A caller that does not read must not keep a process of root. */
const flushSeconds = 10;

// Left-over timers and sockets must not keep a helper alive: at this point all is released.
void run().then(async (status) => {
  const flushed = Promise.all([process.stdout, process.stderr].map(flushOutput));
  await within(flushSeconds * 1000, flushed, undefined);
  process.exit(status);
});
