/** What jobs have left on guests, and how it goes away. */
import { LabError } from '../lab-error.ts';
import type { Cluster } from './cluster.ts';
import { until } from './deadline.ts';
import type { Host } from './guest.ts';

/** Long enough for an epilog on a busy machine. */
const graceMs = 300_000;
const idleTimeoutMs = 400_000;
const cleanTimeoutMs = 400_000;

/** What any job has left on a host: empty when nothing. Slurm's own cgroups of jobs count. */
async function findLeft(host: Host): Promise<readonly string[]> {
  const left = await host.run(`
docker ps --all --format 'container {{.Names}}'
docker network ls --format 'network {{.Name}}' | grep -vxE 'network (bridge|host|none)' || true
ip -oneline link | grep -E 'vxlan|hpcdjv|\\bhj' | sed 's/^/link /' || true
nft list tables | grep hpcdj | sed 's/^/filter /' || true
find /run/hpc-dockerjob -mindepth 1 -printf 'file %p\\n' 2>/dev/null || true
pgrep -a -f 'share/guard-disk-watch|dist/(helper|middleware|disk-watch)[.]cjs' | sed 's/^/program /' || true
find /sys/fs/cgroup -type d \\( -name 'job_[0-9]*' -o -name 'hpcdj*' -o -name 'docker-*' \\) -printf 'cgroup %P\\n'`);
  return left.split('\n').filter((line) => line !== '');
}

/** Fails when something of a job is on a guest still after a grace. */
export async function requireNothingLeft({ guests }: Cluster): Promise<void> {
  let left: readonly string[] = [];
  await until({ what: 'nothing to be left', timeoutMs: graceMs }, async () => {
    const found = await Promise.all(
      guests.map(async (guest) => (await findLeft(guest)).map((line) => `${guest.place.name}: ${line}`)),
    );
    left = found.flat();
    return left.length === 0 ? true : undefined;
  }).catch((error: unknown) => {
    throw left.length === 0 ? error : new LabError(`Left behind: ${left.slice(0, 6).join('; ')}`);
  });
}

/** Ends what a case has left and cleans by the operator's means, so that the next case begins with an idle cluster. */
export async function makeIdle({ guests: [head, ...others] }: Cluster): Promise<void> {
  await head.tryRun(
    `
for job in $(squeue --noheader --states=S --format=%A); do scontrol resume "$job" || true; done
scancel --user=alice || true
for try in $(seq 120); do [ -z "$(squeue --noheader)" ] && break; sleep 1; done
# An epilog that took too long has drained its node.
for node in $(sinfo --noheader --Node --states=drain,down --format=%N); do
  scontrol update nodename="$node" state=resume || true
done`,
    { timeoutMs: idleTimeoutMs },
  );
  for (const guest of [head, ...others])
    await guest.tryRun(
      `docker ps --quiet --all | xargs --no-run-if-empty docker rm --force
hpc-dockerjob-helper reap || /opt/hpc-submit-dockerjob/bin/hpc-dockerjob-helper reap || true
find /sys/fs/cgroup -depth -type d -path '*/job_[0-9]*' -exec rmdir {} + || true`,
      { timeoutMs: cleanTimeoutMs },
    );
}
