/** The etcd tree of a job, as an operator sees it while the job runs. */
import { execOnHost } from '../exec-on-host.ts';
import { etcdctl } from '../find-leftovers.ts';
import type { Lab } from '../running-lab.ts';

export interface KeyWatch {
  look(): Promise<void>;
  /** The fullest tree that was seen, a line per key; long values cut. */
  lastSeen(): string;
}

/** Looks at the job's keys when asked to. */
export function watchKeys(lab: Lab, job: string): KeyWatch {
  let seen: readonly string[] = [];
  return {
    look: async () => {
      const { stdout } = await execOnHost(lab, 'node1', { argv: etcdctl(lab, 'get', '--prefix', '') });
      const lines = stdout.split('\n');
      const entries: string[] = [];
      for (let index = 0; index + 1 < lines.length; index += 2) {
        const key = lines[index] ?? '';
        const value = lines[index + 1] ?? '';
        if (key.startsWith(`/${job}/`) || key.startsWith('/.site/'))
          entries.push(`${key} = ${value.length > 70 ? `${value.slice(0, 67)}…` : value}`);
      }
      // While it runs: at its end the fields of the end come up, and at the release all go.
      const isRunning = entries.includes(`/${job}/FINISH = FALSE`);
      if (isRunning && entries.length >= seen.length) seen = entries;
    },
    lastSeen: () => seen.join('\n'),
  };
}
