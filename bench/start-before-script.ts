/**
 * From the begin of a job's script to the first line of its command on three hosts of LSF, with the containers started by
 * the script (`lsf.start: script`) and before it (`prologue`), in pairs; and from the submission to that line. Needs
 * nothing: bash scripts/run node bench/start-before-script.ts [--name bench] [--rounds 5] brings a lab up, and leaves it up.
 */
import { parseArgs } from 'node:util';
import { bringUp } from '../lab/lab.ts';
import { kitDir, renderQueue } from '../lab/lsf/lsf-files.ts';
import { productRoot } from '../lab/layout.ts';
import { readScratchFile } from '../test/support/lab-job.ts';
import { changeSite, quickSite } from '../test/support/e2e-site.ts';
import { configureLsf, onThreeHosts, postExec, submitCommand } from '../test/support/lsf-lab.ts';

const { values } = parseArgs({
  options: { name: { type: 'string', default: 'bench' }, rounds: { type: 'string', default: '5' } },
});
const starts = ['script', 'prologue'] as const;
const lab = await bringUp({ name: values.name, hosts: 3, lsf: 'plain', images: ['mpi'], report: console.error });
const starter = `JOB_STARTER = ${productRoot}/bin/hpc-submit-dockerjob starter`;
await configureLsf(lab, [
  renderQueue('script', [postExec, starter, `PRE_EXEC = ${kitDir}/pre-exec`]),
  renderQueue('prologue', [postExec, starter, `PRE_EXEC = ${kitDir}/pre-exec --start`]),
]);
await using _site = await changeSite(lab, {
  ...quickSite,
  lsf: { start: 'prologue', queues: { script: { image: 'lab/mpi:1' }, prologue: { image: 'lab/mpi:1' } } },
});

/** Milliseconds from LSF's start of the script, which follows the job's own pre-execution, and from the submission. */
async function measure(queue: (typeof starts)[number]): Promise<{ scriptMs: number; wholeMs: number }> {
  const submittedAtMs = Date.now();
  const bsub = ['-q', queue, ...onThreeHosts, '-E', 'date +%s%3N > before'];
  const { job, text } = await submitCommand(lab, [`sh -c 'date +%s%3N > first'`], { bsub });
  if (job === undefined) throw new Error(text);
  const { exitCode, stderr } = await job.end();
  if (exitCode !== 0) throw new Error(stderr);
  const at = async (file: string): Promise<number> =>
    Number(String(await readScratchFile(lab, `${job.directory}/${file}`)).trim());
  const firstMs = await at('first');
  return { scriptMs: firstMs - (await at('before')), wholeMs: firstMs - submittedAtMs };
}

const found = { script: [], prologue: [] } as Record<(typeof starts)[number], { scriptMs: number; wholeMs: number }[]>;
for (let round = 0; round <= Number(values.rounds); round += 1)
  for (const start of starts) {
    const times = await measure(start);
    if (round > 0) found[start].push(times); // the first pair warms caches up
  }
const median = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
for (const start of starts)
  console.log(
    JSON.stringify({
      start,
      scriptMedianMs: median(found[start].map(({ scriptMs }) => scriptMs)),
      wholeMedianMs: median(found[start].map(({ wholeMs }) => wholeMs)),
      rounds: found[start].length,
    }),
  );
