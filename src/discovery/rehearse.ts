import { once } from 'node:events';
import { connectSsh } from '../ssh/connect-ssh.ts';
import { makeKeyPair } from '../ssh/make-key-pair.ts';
import { startSshServer } from '../ssh/start-ssh-server.ts';
import { ProcessGroup } from './launch/process-group.ts';

/** Logs in to a server of its own on the loopback interface and runs one command: what every job's start does. */
export async function rehearse(): Promise<void> {
  const [user, host] = [makeKeyPair(), makeKeyPair()];
  const server = await startSshServer({
    address: '127.0.0.1',
    port: 0,
    hostPrivateKey: host.privateKey,
    userName: 'rehearsal',
    findKeys: () => Promise.resolve([user.publicKey]),
    loginTimeoutMs: 5000,
    startSession: () => {
      const group = new ProcessGroup('/bin/sh', ['-c', 'exit 0'], { stdio: 'pipe' });
      return { child: group.child, signal: (name) => void group.signal(name), end: () => void group.end(0) };
    },
  });
  const connection = await connectSsh({
    address: '127.0.0.1',
    port: server.port,
    userName: 'rehearsal',
    privateKey: user.privateKey,
    hostPublicKey: host.publicKey,
    timeoutMs: 5000,
  });
  const { streams } = await connection.run('exit 0');
  streams.resume().stderr.resume();
  await once(streams, 'close', { signal: AbortSignal.timeout(5000) });
  connection.close();
  server.close();
}
