/**
 * `npm run demo`: the slides' OpenFOAM case for real. Brings a three-host cluster up, submits the case as a plain user
 * with sbatch, shows what happens, what it cost, and that nothing is left behind.
 */
import { parseArgs } from 'node:util';
import { awaitJob, readLabFile, submitJob } from './batch-jobs.ts';
import { measureStart } from './demo/measure-start.ts';
import { demoScript, openfoamCase, prepareCase } from './demo/openfoam-case.ts';
import { watchKeys } from './demo/watch-keys.ts';
import { findLeftovers } from './find-leftovers.ts';
import { describeFailure, LabError } from './lab-error.ts';
import { bringUp } from './lab.ts';
import type { Lab } from './running-lab.ts';
import { takeDownOnSignal } from './take-down-on-signal.ts';
import { takeDown } from './take-down.ts';

const say = (text = ''): void => void process.stdout.write(`${text}\n`);
const title = (text: string): void => say(`\n== ${text}`);
const indent = (text: string): string => text.trimEnd().replaceAll(/^/gm, '   ');

async function runDemo(lab: Lab): Promise<void> {
  title('the case, prepared by alice in a job on one host: blockMesh and decomposePar');
  await prepareCase(lab);
  const script = demoScript();
  title('alice submits the script of the slides with sbatch');
  say(indent(script));
  const id = await submitJob(lab, { user: 'alice', directory: openfoamCase.directory, script });
  say(`   Submitted batch job ${id}\n`);
  const keys = watchKeys(lab, id);
  let shownBytes = 0;
  const job = await awaitJob(lab, id, 300_000, async () => {
    const progress = await readLabFile(lab, `${openfoamCase.directory}/job.err`);
    process.stdout.write(progress.slice(shownBytes).replaceAll(/^(?=.)/gm, '   '));
    shownBytes = progress.length;
    await keys.look();
  });
  title('etcd while it ran (the public contract: /<job>/<job>_node_<n>/{IP,SSHPUBKEY,READY} and FINISH)');
  say(indent(keys.lastSeen()));
  const output = await readLabFile(lab, `${openfoamCase.directory}/job.out`);
  title("the solver's last lines in the job's own output file");
  say(indent(lastIteration(output)));
  title('what the scheduler says');
  say(`   JobState=${job.state} ExitCode=${job.exitCode}`);
  if (job.state !== 'COMPLETED' || job.exitCode !== '0:0')
    throw new LabError(`Job ${id} did not complete: see ${openfoamCase.directory}/job.err in the lab.`);
  title('what it costs to start in containers on three hosts');
  for (const line of await measureStart(lab)) say(`   ${line}`);
  title('what is left of it: docker ps -a, docker network ls, ip link, nft, cgroups on each host, all keys in etcd');
  const leftovers = await findLeftovers(lab);
  if (leftovers.length > 0) throw new LabError(`Something was left behind:\n${leftovers.join('\n')}`);
  say('   nothing');
}

/** The last time step with its residuals. */
function lastIteration(output: string): string {
  const start = output.lastIndexOf('\nTime = ');
  if (start < 0) throw new LabError(`The solver wrote no time step. Its output ended with:\n${output.slice(-2000)}`);
  return output.slice(start + 1);
}

async function main(): Promise<void> {
  const { values } = readOptions();
  const { name } = values;
  if (values.help) {
    say(`npm run demo [-- [--keep] [--name NAME]]

  --keep        leave the cluster up afterwards, and say what to try with it
  --name NAME   name of the cluster (default: demo), for a second demo on one machine`);
    return;
  }
  const startedAt = performance.now();
  title('a cluster of three hosts on this machine: Slurm, etcd with mutual TLS, a Docker Engine per host');
  const watch = takeDownOnSignal([name], say);
  try {
    const lab = await bringUp({ name, hosts: 3, images: ['openfoam', 'mpi'], report: (line) => say(`   ${line}`) });
    await runDemo(lab);
  } finally {
    await watch.settle();
    if (values.keep) say(tryNext(name));
    else {
      title('the cluster goes down');
      await takeDown({ name, report: (line) => say(`   ${line}`) });
    }
  }
  say(`\nDone in ${((performance.now() - startedAt) / 1000).toFixed(0)} s.`);
}

function readOptions(): { values: { keep: boolean; help: boolean; name: string } } {
  try {
    return parseArgs({
      options: {
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        name: { type: 'string', default: 'demo' },
      },
    });
  } catch (error) {
    throw new LabError(`${error instanceof Error ? error.message : String(error)}. See npm run demo -- --help`);
  }
}

function tryNext(name: string): string {
  return `
The cluster stays up. Try:
   npm run lab -- status --name ${name}
   npm run lab -- exec --name ${name} node1 --user alice -- bash -l
      cd ${openfoamCase.directory} && sbatch job.sh && squeue
      srun -N3 hostname
      hpc-submit-dockerjob explain --image lab/mpi:1 --hosts 3 -- mpirun hostname
   npm run lab -- exec --name ${name} node2 -- docker ps -a
   npm run lab -- down --name ${name}`;
}

main().catch((error: unknown) => {
  process.stderr.write(
    error instanceof LabError
      ? `\ndemo: ${describeFailure(error)}\n`
      : `\ndemo: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exitCode = 1;
});
