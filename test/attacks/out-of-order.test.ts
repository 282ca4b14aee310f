/**
 * The attacker has a job and wants root's side out of step: verbs before their time, again, or for a name that only looks
 * like the job's; the words of a launch that is over; orders by the hundred thousand.
 */
import { mustRun } from '../../lab/batch-jobs.ts';
import { etcdctl } from '../../lab/find-leftovers.ts';
import { productRoot } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findLastingLeftovers, inMpi } from '../support/e2e-jobs.ts';
import { e2eLab, runBatch } from '../support/e2e-lab.ts';
import { changeSite } from '../support/e2e-site.ts';

const helper = `${productRoot}/bin/hpc-dockerjob-helper`;
let lab: Lab;
const undo = new AsyncDisposableStack();
beforeAll(async () => {
  lab = await e2eLab();
  // A run-node that comes when its job is over waits for so long for a plan.
  undo.use(await changeSite(lab, { deadlines: { openSeconds: 8 } }));
});
afterAll(async () => {
  await undo.disposeAsync();
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

const onNode1 = ['-N1', '-n1', '--nodelist=node1'];

/** In a batch script: says `name status code seconds` of a call. */
const telling = `told() { name=$1; shift; begun=$SECONDS; said=$("$@" 2>&1 </dev/null); status=$?
  echo "$name $status $(echo "$said" | grep -o '\\[[A-Z_]*\\]' | tail -1) $((SECONDS - begun))"; }; h=${helper}; j=$SLURM_JOB_ID`;

it('verbs before, beside and after a run of the job come to nothing, and the run to its end', async () => {
  const launchOf = `$(pgrep -fa -- "helper.cjs run-node $j " | sed 's/.*run-node [0-9]* //' | head -1)`;
  const script = `${telling}
told name-of-an-element sudo -n $h run-node "$j"_1 0123456789abcdef
told foreign sudo -n $h run-node $((j + 1000)) 0123456789abcdef
${inMpi} sh -c 'touch begun; while [ ! -e over ]; do sleep 0.1; done; exit 7' & run=$!
while [ ! -e begun ]; do sleep 0.1; done
launch=${launchOf}
told another-launch sudo -n $h run-node $j 0123456789abcdef
told second-run ${inMpi} true
kill -0 $run && echo "undisturbed yes"
told replay sudo -n $h run-node $j $launch
touch over; wait $run; echo "run $?"
told replay-after sudo -n $h run-node $j $launch
told nothing-left sudo -n $h release-job $j
${inMpi} true; echo "again $?"`;
  // Each call that no plan fits waits for one, in vain, as long as an opening may take.
  await using _site = await changeSite(lab, { deadlines: { openSeconds: 8 }, docker: { callTimeoutMs: 12_000 } }, [
    'node1',
  ]);
  const { stdout } = await runBatch(lab, script, { sbatch: onNode1, deadlineMs: 150_000 });
  const told = new Map(
    stdout
      .trim()
      .split('\n')
      .map((line): [string, string] => [line.split(' ')[0] ?? '', line.split(' ').slice(1, 3).join(' ')]),
  );
  expect(Object.fromEntries(told)).toEqual({
    'name-of-an-element': '77 [JOB_NOT_YOURS]',
    foreign: '77 [JOB_NOT_YOURS]',
    'second-run': '75 [JOB_BUSY]',
    replay: expect.stringMatching(/^(?:75 \[JOB_BUSY\]|77 \[JOB_NOT_YOURS\])$/) as string,
    'another-launch': expect.stringMatching(/^(?:75 \[JOB_BUSY\]|77 \[JOB_NOT_YOURS\])$/) as string,
    undisturbed: 'yes',
    // Who plays one's own launch again has a node refused, and that ends one's own job.
    run: expect.stringMatching(/^(?:7|75)$/) as string,
    'replay-after': expect.stringMatching(/^(?:69|75|77) /) as string,
    'nothing-left': expect.stringMatching(/^0/) as string,
    again: '0',
  });
});

it('a flood of orders costs the store next to nothing', async () => {
  const revision = async (): Promise<number> => {
    const said = await mustRun(lab, 'node1', etcdctl(lab, 'endpoint', 'status', '--write-out=json'));
    return Number(/"revision":(\d+)/.exec(said)?.[1]);
  };
  const before = await revision();
  const script = `cat >flood.py <<'PYTHON'
import json, os, subprocess, time
hosts = subprocess.check_output(['scontrol', 'show', 'hostnames'], text=True).split()
job = os.environ['SLURM_JOB_ID']
request = {'protocol': 1, 'launchId': '0123456789abcdef', 'scheduler': 'slurm', 'schedulerJobId': job, 'job': job,
  'hosts': [{'name': name, 'slots': 1} for name in hosts], 'image': 'lab/mpi:1', 'command': {'kind': 'argv', 'argv': ['true']},
  'workdir': '/scratch', 'mounts': [], 'environment': {}}
helper = subprocess.Popen(['sudo', '-n', '${helper}', 'open-job'], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
helper.stdin.write((json.dumps(request) + '\\n').encode())
lines = [b'{"order":"want","state":"suspended"}', b'{"order":"want","state":"running"}', b'{"order":"signal","signal":"SIGUSR1"}',
  b'{"order":"task-ended","hosts":["nowhere"],"how":"x","detail":""}', b'[[[[', b'{"order":"signal","signal":"SIGKILL"}', b'\\xff\\x00']
flood = b'\\n'.join(lines * 2000) + b'\\n'
end, count = time.time() + 4, 0
try:
  while time.time() < end:
    helper.stdin.write(flood); count += len(lines) * 2000
  helper.stdin.write(b'{"order":"cancel","signal":"SIGTERM"}\\n'); helper.stdin.close()
except BrokenPipeError: pass
print(count, helper.wait())
PYTHON
python3 flood.py`;
  const { stdout } = await runBatch(lab, script, {
    sbatch: ['-N2', '-n2', '--nodelist=node1,node2'],
    deadlineMs: 90_000,
  });
  const [orders] = stdout.trim().split(' ').map(Number);
  expect(orders).toBeGreaterThan(20_000);
  expect((await revision()) - before).toBeLessThan(150);
});
