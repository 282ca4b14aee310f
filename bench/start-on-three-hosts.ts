/**
 * From the call of hpc-submit-dockerjob to the command's first line on three hosts, beside `srun docker run IMAGE true`
 * on the same hosts, in pairs. Needs a lab: bash scripts/run node bench/start-on-three-hosts.ts [--name bench] [--rounds 10]
 * brings one up if there is none and leaves it up.
 */
import { parseArgs } from 'node:util';
import { measureStartTimes } from '../lab/demo/measure-start.ts';
import { bringUp } from '../lab/lab.ts';

const { values } = parseArgs({
  options: { name: { type: 'string', default: 'bench' }, rounds: { type: 'string', default: '10' } },
});
const lab = await bringUp({ name: values.name, hosts: 3, images: ['mpi'], report: (line) => console.error(line) });
const { oursMs, floorMs } = await measureStartTimes(lab, Number(values.rounds));
const quantile = (all: readonly number[], q: number): number =>
  Math.round(all.toSorted((a, b) => a - b)[Math.floor((all.length - 1) * q)] ?? Number.NaN);
const summary = (all: readonly number[]): object => ({
  minMs: quantile(all, 0),
  medianMs: quantile(all, 0.5),
  maxMs: quantile(all, 1),
});
const ratios = oursMs.map((ours, round) => ours / (floorMs[round] ?? Number.NaN));
console.log(
  JSON.stringify({
    ours: summary(oursMs),
    floor: summary(floorMs),
    medianRatio: Number((ratios.toSorted((a, b) => a - b)[Math.floor(ratios.length / 2)] ?? Number.NaN).toFixed(2)),
  }),
);
