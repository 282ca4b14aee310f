import { readFile } from 'node:fs/promises';
import { JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';

/** Docker's port without TLS: no password, no certificate. */
const openPort = 2375;

/** Texts of the kernel's tables of TCP sockets. */
export type ReadTables = () => Promise<readonly string[]>;

/** dockerd does not listen on the network without TLS. */
export function checkDockerPort(readTables: ReadTables = readOwnTables): Check {
  return {
    name: 'docker-port',
    look: async () => {
      const ports = (await readTables()).flatMap(listListening);
      if (!ports.includes(openPort)) return fine(`nobody listens on port ${openPort}`);
      throw new JobError({
        code: 'NOT_PERMITTED',
        message: `Something listens on port ${openPort}, Docker's port without TLS: anyone who reaches it has all rights of root.`,
        hint: 'Remove tcp:// from "hosts" in daemon.json and from the options of dockerd.',
      });
    },
  };
}

/** Ports in state LISTEN (0A) in the text of /proc/net/tcp or tcp6. */
export function listListening(table: string): readonly number[] {
  return [...table.matchAll(/^[ \t]*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /gm)].map(([, port]) =>
    Number.parseInt(port ?? '', 16),
  );
}

async function readOwnTables(): Promise<readonly string[]> {
  return await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map(async (file) => await readFile(file, 'utf8').catch(() => '')),
  );
}
