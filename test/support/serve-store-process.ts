/** Serves the store of a job at the path given, from the first line of input to its end; says how that went. */
import { once } from 'node:events';
import { createMemoryStore } from '../../src/local-store/memory-store.ts';
import { serveStore } from '../../src/local-store/serve-store.ts';
import { asJobError } from '../../src/values/errors.ts';

process.stdout.write('here\n');
await once(process.stdin, 'data');
const ended = once(process.stdin, 'end');
process.stdin.resume();
try {
  const server = await serveStore(createMemoryStore(), process.argv[2] ?? '');
  process.stdout.write('serving\n');
  await ended;
  await server.close();
} catch (error) {
  process.stdout.write(`${asJobError(error).code}\n`);
}
