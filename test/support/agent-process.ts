/** Runs the agent as a process outside a container: agent-process.ts HELPER_SOCKET PRIVATE_DIRECTORY SSH_CLIENT_ARGV… */
import { runAgent } from '../../src/discovery/agent.ts';

const [helperSocket = '', privateDirectory = '', ...sshClientArgv] = process.argv.slice(2);
process.exit(await runAgent({ helperSocket, privateDirectory, sshClientArgv }));
