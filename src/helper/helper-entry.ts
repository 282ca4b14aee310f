import '../shared/configure-zod.ts';
import { main } from './main.ts';
import { rehearse } from './rehearse.ts';

async function run(): Promise<number> {
  const rehearsal = process.env['HPCDJ_REHEARSAL'];
  if (rehearsal !== undefined) await rehearse(rehearsal);
  return await main(process.argv.slice(2));
}

// Left-over timers and sockets must not keep a helper alive: at this point all is released.
void run().then((status) => process.exit(status));
