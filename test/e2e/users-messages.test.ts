/** What users are told when something is wrong, and what they need not say: few jobs, many calls in each. */
import { beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { findLeftovers } from '../../lab/find-leftovers.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { startBatch } from '../support/e2e-jobs.ts';
import { e2eLab, runBatch } from '../support/e2e-lab.ts';
import { readScratchFile } from '../support/lab-job.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await e2eLab();
});

const mpi = 'hpc-submit-dockerjob --image lab/mpi:1';

describe('a job on two hosts says', () => {
  it('where memory ran out, which signal ended the command, what is wrong with a script, and how hosts are called', async () => {
    const job = await runBatch(
      lab,
      `
${mpi} --json=oom.json -- tail /dev/zero; echo "oom $?"
${mpi} -- mpirun --host node1:1,node2:1 sh -c '[ $OMPI_COMM_WORLD_RANK = 0 ] || exec tail /dev/zero' 2> rank.err; grep -a hpc-submit rank.err >&2
${mpi} --json=segv.json --quiet -- sh -c 'kill -SEGV $$'; echo "segv $?"
printf '#!/bin/sh\\r\\necho hello\\r\\n' > crlf.sh; chmod +x crlf.sh
${mpi} --quiet -- ./crlf.sh; echo "crlf $?"
export COMMAND=./crlf.sh; ${mpi} --quiet; echo "shell $?"; unset COMMAND
${mpi} --quiet -- sh -c 'ssh elsewhere true; ssh -X node2 hostname; ssh -f node-1 "sleep 1; echo later > late"; while [ ! -s late ]; do sleep 0.1; done; cat late'
srun -N2 -n2 ${mpi} -- hostname; echo "srun $?"`,
      { sbatch: ['-N2', '-n2', '--mem=600', '-w', 'node1,node2'], deadlineMs: 180_000 },
    );
    expect(job.stdout.trim().split('\n')).toEqual([
      ...['oom 137', 'segv 139', 'crlf 127', 'shell 127', `${job.id}-node-1`, 'later', 'srun 64'],
    ]);
    const { stderr } = job;
    expect(stderr).toMatch(
      /memory ran out on host node1: the kernel killed a process of the command \(the job's limit there is 600 MiB, its container used \d{3} MiB at most\)/,
    );
    expect(stderr).toMatch(/memory ran out on host node2: the kernel killed a process/);
    expect(stderr).toContain('the command ended with status 137 (SIGKILL, killed)');
    const json = async (name: string): Promise<unknown> =>
      JSON.parse((await readScratchFile(lab, `${job.directory}/${name}`)).toString());
    expect(await json('segv.json')).toMatchObject({ endedBy: 'command', exitStatus: 139, signal: 'SIGSEGV' });
    expect(await json('oom.json')).toMatchObject({ endedBy: 'command', exitStatus: 137, signal: 'SIGKILL' });
    expect(stderr).toContain('cannot run "./crlf.sh": it has Windows line ends (CR LF)');
    expect(stderr).toContain('note: ./crlf.sh: it has Windows line ends (CR LF)');
    expect(stderr).toContain(
      `"elsewhere" is no host of this job: these are ${job.id}-node-0 (node-0, node1), ${job.id}-node-1 (node-1, node2).`,
    );
    expect(stderr).toContain('no X11 forwarding inside a job: -X is ignored');
    expect(stderr.match(/was called by srun, as 2 tasks at once/g)).toHaveLength(2);
    expect(await findLeftovers(lab)).toEqual([]);
  });
});

describe('output that nothing has room for', () => {
  it('makes the call fail, and is told on the other stream', async () => {
    const job = await runBatch(
      lab,
      `
tiny="hpc-submit-dockerjob --image lab/tiny:1"
$tiny --json=lost.json -- echo hello >/dev/full; echo "out $?"
$tiny -- sh -c 'echo hello; exit 3' >/dev/full 2>/dev/null; echo "own $?"
$tiny -- sh -c 'echo hello; echo oops >&2' 2>/dev/full; echo "err $?"
$tiny --quiet -- sh -c 'echo hello; yes | head -1000000' | head -1; echo "pipe \${PIPESTATUS[0]}"`,
      { sbatch: ['-N1', '-n1', '--mem=600'] },
    );
    const [out, own, hello, told, error, ...rest] = job.stdout.trim().split('\n');
    expect([out, own, hello, error, ...rest]).toEqual(['out 65', 'own 3', 'hello', 'err 65', 'hello', 'pipe 0']);
    expect(told).toMatch(/Standard error could not be written \(ENOSPC.*\[OUTPUT_LOST\]$/);
    expect(job.stderr).toMatch(/Standard output could not be written \(ENOSPC.*\[OUTPUT_LOST\]/);
    const outcome = (await readScratchFile(lab, `${job.directory}/lost.json`)).toString();
    expect(JSON.parse(outcome)).toMatchObject({ exitStatus: 65, error: { code: 'OUTPUT_LOST' }, leftovers: [] });
  });
});

describe('a job with too little memory for our own programs', () => {
  // The first is refused before anything is started, of the other the kernel kills what it likes.
  it.each(['90M', '116M'])('is never one to submit again: %s', async (memory) => {
    const job = await runBatch(lab, 'hpc-submit-dockerjob --image lab/tiny:1 -- true; echo "rc $?"', {
      sbatch: ['-N1', '-n1', `--mem=${memory}`],
    });
    expect(job.stdout.trim()).toBe('rc 65');
    expect(job.stderr).toMatch(
      /our own programs need about 200 MB of it on the first host, 130 MB on the others\. \[OUT_OF_MEMORY\]/,
    );
    await expect.poll(async () => await findLeftovers(lab), { timeout: 30_000 }).toEqual([]);
  });

  it('on another host than the first is told so, too, and of which host', async () => {
    const limitNode2 = async (bytes: string): Promise<string> =>
      await mustRun(lab, 'node2', [
        'sh',
        '-c',
        'echo "$1" >/sys/fs/cgroup/memory/slurm_node2/memory.limit_in_bytes',
        'limit',
        bytes,
      ]);
    const job = await startBatch(
      lab,
      'while [ ! -e go ]; do sleep 0.1; done; hpc-submit-dockerjob --image lab/mpi:1 -- true; echo "rc $?"',
      {
        sbatch: ['-N2', '-n2', '--mem=600M', '-w', 'node1,node2'],
      },
    );
    await expect.poll(async () => (await job.state()).state, { timeout: 30_000 }).toBe('RUNNING');
    await limitNode2('45M'); // for the whole of Slurm's part: that of a job Slurm writes anew
    try {
      await mustRun(lab, 'node1', ['touch', `${job.directory}/go`]);
      const { stdout, stderr } = await job.end();
      expect(stdout.trim(), stderr).toBe('rc 65');
      expect(stderr).toMatch(/host node2.*memory.*130 MB on the others\. \[OUT_OF_MEMORY\]/);
    } finally {
      await limitNode2('-1');
    }
    await expect.poll(async () => await findLeftovers(lab), { timeout: 30_000 }).toEqual([]);
  });
});

describe('a hybrid job', () => {
  it('has the threads, the place and the language of its script without being told', async () => {
    const show = "sh -c 'echo $(env -u OMP_NUM_THREADS nproc) $OMP_NUM_THREADS $TZ $LANG $(env | grep -c ^OMP_TOOL)'";
    const job = await runBatch(
      lab,
      `
unset LC_ALL
export TZ=Asia/Tokyo LANG=C.UTF-8 OMP_TOOL_LIBRARIES=/evil.so
unset OMP_NUM_THREADS
${mpi} --quiet -- ${show}
${mpi} --quiet -- mpirun --map-by slot:pe=2 ${show}
export OMP_NUM_THREADS=7
${mpi} --quiet --env TZ=UTC --env OMP_PROC_BIND=true -- ${show}
srun -n1 ${mpi} --quiet -- echo one task`,
      { sbatch: ['-N1', '-n1', '-c2'] },
    );
    expect(job.stdout.trim().split('\n')).toEqual([
      ...['2 2 Asia/Tokyo C.UTF-8 0', '2 2 Asia/Tokyo C.UTF-8 0', '2 7 UTC C.UTF-8 0', 'one task'],
    ]);
    expect(await findLeftovers(lab)).toEqual([]);
  });
});
