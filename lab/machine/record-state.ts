/** What an expert would look at after a red row, written to files while it is still to be seen. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeFailure } from '../lab-error.ts';
import type { Host } from './guest.ts';

const timeoutMs = 300_000;

/** Each with a deadline of its own: what hangs must not hide the rest. */
const commands = [
  'date',
  'uptime',
  'free -m',
  'squeue --long',
  'squeue --steps',
  'scontrol --details show job',
  'sinfo --Node --long',
  'scontrol ping',
  'scontrol show node',
  'docker ps --all',
  'docker network ls',
  'ps -eo pid,ppid,user,stat,pcpu,etimes,wchan:20,args --forest',
  'ip -brief address',
  'ip neighbour',
  `bash -c 'find /sys/fs/cgroup -type d -path "*job_*"; find /run/hpc-dockerjob'`,
  `bash -c 'tail -n 60 $(ls -t /scratch/alice/job-*.* | head -n 4)'`,
  'journalctl --no-pager --lines=80 --unit=slurmd',
  'journalctl --no-pager --lines=80 --unit=slurmctld',
  'journalctl --no-pager --lines=40 --unit=docker',
  'journalctl --no-pager --lines=30 --unit=machine-etcd',
  'journalctl --no-pager --lines=30 --unit=munge',
  `bash -c 'journalctl --no-pager --lines=2000 | grep hpc-dockerjob | tail -n 80'`,
  `bash -c 'dmesg | tail -n 40'`,
];

const script = commands
  .map(
    (command) => `echo; echo ${quote(`== ${command}`)}; timeout --kill-after=5 30 ${command} 2>&1 || echo "status $?"`,
  )
  .join('\n');

/** Writes a file for each host into the directory and returns their names. Never fails. */
export async function recordState(hosts: readonly Host[], directory: string, row: string): Promise<readonly string[]> {
  await mkdir(directory, { recursive: true });
  return await Promise.all(
    hosts.map(async (host) => {
      const file = join(directory, `${row}-${host.place.name}.txt`.replaceAll(/[^\w.-]+/g, '-'));
      const { stdout, stderr } = await host.tryRun(script, { timeoutMs }).catch((error: unknown) => ({
        ...{ stdout: '', stderr: describeFailure(error) },
      }));
      await writeFile(file, `${stdout}\n${stderr}\n`);
      return file;
    }),
  );
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
