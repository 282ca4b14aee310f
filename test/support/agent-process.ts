/** Runs the agent as a process outside a container: agent-process.ts HELPER_SOCKET PRIVATE_DIRECTORY SSH_CLIENT_ARGV… */
import { join } from 'node:path';
import { runAgent } from '../../src/discovery/agent.ts';

const [helperSocket = '', privateDirectory = '', ...sshClientArgv] = process.argv.slice(2);
const inputPipe = join(privateDirectory, '../input');
process.exit(await runAgent({ helperSocket, inputPipe, privateDirectory, sshClientArgv }));
