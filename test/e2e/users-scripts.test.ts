/** What users write around the call: shells, limits and tools of all sorts, and interactive jobs. Several cases in one job each. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { execOnHost } from '../../lab/exec-on-host.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { findLastingLeftovers } from '../support/e2e-jobs.ts';
import { e2eLab, runBatch } from '../support/e2e-lab.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await e2eLab();
});
afterEach(async () => expect(await findLastingLeftovers(lab)).toEqual([]));

const call = 'hpc-submit-dockerjob --quiet --image lab/mpi:1 --';
const onTwo = { sbatch: ['-N2', '-n2'] };

/** Each case is a name and lines of bash; what it prints stands below its name. */
async function runCases(cases: readonly (readonly [string, string])[], options = onTwo) {
  const script = cases.map(([name, lines]) => `echo '== ${name}'\n(\n${lines}\n) 2>&1`).join('\n');
  const { stdout } = await runBatch(lab, `H='${call}'\n${script}`, options);
  const parts = stdout.split(/^== (.*)\n/m).slice(1);
  return Object.fromEntries(
    cases.map((_, index) => [parts[2 * index] ?? '', (parts[2 * index + 1] ?? '').trimEnd().split('\n')]),
  );
}

describe('a batch script', () => {
  it('may call it as it calls any other program', async () => {
    const said = await runCases([
      ['substitution', 'x=$($H echo inside); echo "[$x]"'],
      ['pipe', "set -o pipefail; $H sh -c 'echo out; exit 3' | cat; echo $?"],
      ['array', `a=("a b" 'c"d' "e'f" '$x' '*' '' -- -x); $H printf '<%s>' "\${a[@]}"; echo`],
      ['timeout', 'timeout --foreground 4 $H sleep 60; echo $?'],
      ['tools', 'nohup stdbuf -oL $H echo tools </dev/null'],
      ['terminal', 'script -qec "$H echo terminal" /dev/null | tr -d "\\r"'],
      [
        'beside',
        `$H sh -c "touch up; while [ ! -e go ]; do sleep 0.1; done" &
while [ ! -e up ]; do sleep 0.1; done; $H true; echo $?; touch go; wait $!; echo $?`,
      ],
      ['after', '$H echo after'],
    ]);
    expect(said).toEqual({
      substitution: ['[inside]'],
      pipe: ['out', '3'],
      array: [`<a b><c"d><e'f><$x><*><><--><-x>`],
      timeout: [expect.stringContaining('[TERMINATED]'), '124'],
      tools: ['tools'],
      terminal: ['terminal'],
      beside: [
        expect.stringMatching(/is running in containers already.*: process \d+ on this host\. .* \[JOB_BUSY\]$/),
        '75',
        '0',
      ],
      after: ['after'],
    });
  });

  it('may have small limits, closed streams and an odd environment', async () => {
    const inside = '/usr/local/bin/hpc-submit-dockerjob --quiet --image lab/mpi:1 -- /bin/echo in';
    const said = await runCases(
      [
        ['soft', `ulimit -S -n 20; ulimit -S -u 60; ulimit -S -v 600000; ${inside}`],
        ['hard', `ulimit -n 64; ulimit -v 2500000; ${inside}`],
        ['too small', `ulimit -n 20; ${inside}; echo $?`],
        ['no rights', `setpriv --no-new-privs ${inside}; echo $?`],
        ['own users', `unshare -U -r ${inside}; echo $?`],
        ['streams', `${inside} 0<&- 1>&- 2>&-; echo $?`],
        [
          'odd',
          `export PATH= TMPDIR=/nonexistent HOME=/nonexistent LC_ALL=C NODE_OPTIONS=--x NODE_CHANNEL_FD=5; ${inside}`,
        ],
        ['gone', `mkdir d; cd d; rmdir ../d; ${inside} 2>&1 | grep -v '^sh: 0:'; echo \${PIPESTATUS[0]}`],
      ],
      { sbatch: ['-N1', '-n1'] },
    );
    expect(said).toEqual({
      soft: ['in'],
      hard: ['in'],
      'too small': [expect.stringMatching(/ulimit -n 20\).* \[USAGE\]$/), '64'],
      'no rights': [expect.stringMatching(/no program may gain rights.* \[USAGE\]$/), '64'],
      'own users': [expect.stringMatching(/in a user namespace.* \[USAGE\]$/), '64'],
      streams: ['0'],
      odd: ['in'],
      gone: [expect.stringMatching(/has been removed.*\[WORKDIR_UNUSABLE\]$/), '65'],
    });
  });
});

describe('a call after one that was killed', () => {
  const killedAt = (phase: string): string => `
hpc-submit-dockerjob --image lab/mpi:1 -- sleep 60 2>'err ${phase}' & run=$!
until grep -q '${phase}' 'err ${phase}'; do sleep 0.02; done
kill -KILL $run; wait $run; echo "${phase} $?"
${call} echo again; echo $?`;

  it.each([1, 2])('in the same script waits until that one is taken away, on %i hosts', async (hosts) => {
    const phases = ['  job ', '  opened ', '  ready '];
    const { stdout, stderr } = await runBatch(lab, phases.map(killedAt).join('\n'), {
      sbatch: [`-N${hosts}`, `-n${hosts}`],
    });
    const expected = phases.flatMap((phase) => [`${phase} 137`, 'again', '0']);
    expect(stdout.trimEnd().split('\n'), stderr).toEqual(expected);
  });
});

describe('a shell of salloc', () => {
  it('is told how to call it on the first host, where all hosts and processors of the job are its', async () => {
    const told = `${call} mpirun hostname 2>&1; echo $?`;
    const step = `srun -N1 -n1 ${call} sh -c 'mpirun hostname; echo $HPCDJ_SLOTS'`;
    const script = `cd /scratch/alice && salloc -Q -N2 -n3 -w node1,node2 bash -c "$0"`;
    const argv = ['bash', '-c', script, `${told}\n${step}`];
    const { stdout, stderr } = await execOnHost(lab, 'node1', { user: 'alice', argv });
    const [refusal = '', status, ...lines] = stdout.trim().split('\n');
    expect([refusal, status], stderr).toEqual([
      expect.stringMatching(
        /In a shell of salloc: srun --nodes=1 --ntasks=1 --nodelist=node1 hpc-.*\[ALLOCATION_INVALID\]/,
      ),
      '65',
    ]);
    expect(lines.at(-1)).toBe('3');
    expect(lines.slice(0, -1).map((line) => line.replace(/^\d+-/, ''))).toEqual(
      expect.arrayContaining(['node-0', 'node-0', 'node-1']),
    );
  });
});
