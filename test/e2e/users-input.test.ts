/** Standard input of the batch script on its way to the command, and the umask: few jobs, many calls in each. */
import { beforeAll, describe, expect, it } from 'vitest';
import { findLeftovers } from '../../lab/find-leftovers.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { e2eLab, runBatch } from '../support/e2e-lab.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await e2eLab();
});

/** Calls of the program that say nothing of their own. */
const tiny = 'hpc-submit-dockerjob --quiet --image lab/tiny:1';
const mpi = 'hpc-submit-dockerjob --quiet --image lab/mpi:1';

describe('standard input on one host', () => {
  it('reaches the command when it is given to this call, and stays with a loop that reads it', async () => {
    const job = await runBatch(
      lab,
      `
seq 1 5 > input
head -n 2 input > list
echo "file $(${tiny} -- wc -l < input)"
${tiny} -- sh <<'E'
echo "here $((6 * 7))"
E
echo "pipe $(printf 'a b' | ${tiny} -- cat)"
while read -r x; do echo "list $x"; ${tiny} -- cat; done < list
head -n 2 input | while read -r x; do echo "line $x"; ${tiny} -- true; done
cat input | { ${tiny} --stdin -- wc -l; }
cat input | { HPCDJ_STDIN=yes ${tiny} -- wc -l; }
echo "unwanted $(${tiny} --no-stdin -- wc -l < input)"
${tiny} --stdin -- true < /tmp; echo "directory $?"
HPCDJ_STDIN=perhaps ${tiny} -- true; echo "perhaps $?"
echo "task $(seq 3 | srun -n1 ${tiny} -- wc -l)"
echo "task's script $(seq 3 | srun -n1 bash -c '${tiny} -- wc -l; true')"`,
      { sbatch: ['-N1', '-n1'] },
    );
    expect(job.stdout.trim().split('\n')).toEqual([
      ...['file 5', 'here 42', 'pipe a b', 'list 1', 'list 2', 'line 1', 'line 2'],
      ...['5', '5', 'unwanted 0', 'directory 64', 'perhaps 64', 'task 3', "task's script 0"],
    ]);
    expect(job.stderr.match(/note: standard input belongs to the surrounding script/g)).toHaveLength(3);
    expect(job.stderr).toContain('but it is a directory');
    expect(job.stderr).toContain('HPCDJ_STDIN is "perhaps"');
    expect(await findLeftovers(lab)).toEqual([]);
  });

  it('comes whole and unchanged, and holds nobody who does not read it', async () => {
    const job = await runBatch(
      lab,
      `
head -c 100000000 /dev/urandom > big
sha256sum < big | cut -c1-64 > sums
${tiny} -- sha256sum < big | cut -c1-64 >> sums
uniq sums | wc -l
${tiny} -- true < big; echo "unread $?"
yes | ${tiny} -- head -n 1; echo "yes $?"
${tiny} -- sh -c 'exec <&-; kill -9 $$' < big; echo "killed $?"
tail -f /dev/null | ${tiny} -- true; echo "open $?"; kill $(jobs -p) 2>/dev/null
rm -f big`,
      { sbatch: ['-N1', '-n1', '--mem=1000'], deadlineMs: 120_000 },
    );
    expect(job.stdout.trim().split('\n')).toEqual(['1', 'unread 0', 'y', 'yes 0', 'killed 137', 'open 0']);
    expect(await findLeftovers(lab)).toEqual([]);
  });
});

describe('on three hosts', () => {
  it('standard input goes to rank 0, and the umask to every rank', async () => {
    const umasks = ['0077', '0007', '0022'];
    const calls = umasks.map(
      (umask) =>
        `umask ${umask}; ${mpi} -- mpirun sh -c 'umask; touch f.$1.$OMPI_COMM_WORLD_RANK' sh ${umask} | sort | uniq -c`,
    );
    const job = await runBatch(
      lab,
      `
echo "rank $(seq 1 1000 | ${mpi} -- mpirun sh -c 'wc -l' | sort -n | tr '\\n' ' ')"
${calls.join('\n')}
stat -c '%a' f.* | sort | uniq -c
seq 1 100000 > input
exec ${mpi} -- sh -c 'ssh node-2 md5sum; echo end' < input`,
    );
    const lines = job.stdout
      .trim()
      .split('\n')
      .map((line) => line.trim().replaceAll(/\s+/g, ' '));
    expect(lines).toEqual([
      'rank 0 0 1000',
      ...umasks.map((umask) => `3 ${umask}`),
      ...['3 600', '3 644', '3 660'],
      'dea9193b768319cbb4ff1a137ac03113 -',
      'end',
    ]);
    expect(await findLeftovers(lab)).toEqual([]);
  });
});
