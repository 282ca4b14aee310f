import { main } from './relay/ssh-client.ts';

// The shim names the relay, so that it is found with an emptied environment too (`env -i ssh …`).
const [relaySocket = '', ...args] = process.argv.slice(2);
// Whoever reads our output may go away first, as in `ssh … | head`: then there is nobody left to tell.
process.stdout.on('error', () => process.exit(255));
process.stderr.on('error', () => process.exit(255));
if (relaySocket === '--version') process.stdout.write(`${process.env['HPCDJ_VERSION'] ?? 'development'}\n`);
else main(relaySocket, args);
