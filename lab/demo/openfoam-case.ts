/** The case of the slides: pitzDailyExptInlet with simpleFoam, three ranks on three hosts. */
import { awaitJob, mustRun, readLabFile, submitJob, writeLabFile } from '../batch-jobs.ts';
import { LabError } from '../lab-error.ts';
import { patient } from '../patience.ts';
import type { Lab } from '../running-lab.ts';

export const openfoamCase = {
  directory: '/scratch/OF_pitzDailyExptInlet',
  image: 'lab/openfoam:1912',
  tutorial: '/usr/share/doc/openfoam-examples/examples/incompressible/simpleFoam/pitzDailyExptInlet',
  iterations: 50,
} as const;

/** The slides' script in its unchanged form: exports, and the wrapper as the last line. */
export function demoScript(): string {
  const limit = `00:${String(Math.min(patient(5), 59)).padStart(2, '0')}:00`;
  return `#!/bin/bash
#SBATCH -J pitzDaily_OF
#SBATCH -N 3
#SBATCH -n 3
#SBATCH -t ${limit}

### exec params
export APPLICATION=openfoam:2.3.0
export COMMAND="mpirun -v -hostfile system/machines -x PATH=\\$PATH -x LD_LIBRARY_PATH=\\$LD_LIBRARY_PATH -x WM_PROJECT_DIR=\\$WM_PROJECT_DIR simpleFoam -parallel"
export JOBDIR=${openfoamCase.directory}

### Docker-Middleware-Wrapper
hpc_submit_dockerjob
`;
}

/** What a copy of the tutorial is made for. */
export interface CaseCopy {
  readonly directory: string;
  readonly ranks: number;
  readonly iterations: number;
}

/** The command that meshes a copied case and divides it among its ranks. */
export const meshCommand = "sh -c 'blockMesh && decomposePar'";

/** Copies the tutorial out of the image as alice's, fitted to so many ranks and iterations. */
export async function copyCase(lab: Lab, { directory, ranks, iterations }: CaseCopy): Promise<void> {
  const { image, tutorial } = openfoamCase;
  await mustRun(lab, 'node1', ['rm', '-rf', directory]);
  await mustRun(lab, 'node1', ['install', '-d', '-o', 'alice', '-g', 'alice', directory]);
  const copy = `zcat -f ${tutorial}.tar.gz 2>/dev/null | tar x --strip-components=1 -C /case 2>/dev/null || cp -r ${tutorial}/. /case; find /case -name '*.gz' -exec gunzip {} +; chown -R 2001:2001 /case`;
  await mustRun(lab, 'node1', [
    'docker',
    'run',
    '--rm',
    '--network',
    'none',
    '--mount',
    `type=bind,source=${directory},target=/case`,
    image,
    'sh',
    '-c',
    copy,
  ]);
  await writeLabFile(lab, `${directory}/system/decomposeParDict`, renderDecomposition(ranks), 'alice');
  await mustRun(lab, 'node1', [
    'sed',
    '-i',
    `s/^endTime .*/endTime ${iterations};/; s/^writeInterval .*/writeInterval ${iterations};/`,
    `${directory}/system/controlDict`,
  ]);
}

/** The case of the demo, meshed in a job of alice's. */
export async function prepareCase(lab: Lab): Promise<void> {
  const { directory } = openfoamCase;
  await copyCase(lab, { ...openfoamCase, ranks: 3 });
  const script = `#!/bin/bash
hpc-submit-dockerjob --application openfoam:2.3.0 --workdir ${directory} -- ${meshCommand}
`;
  const id = await submitJob(lab, { user: 'alice', directory: `${directory}/prepare`, sbatch: ['-N1', '-n1'], script });
  const job = await awaitJob(lab, id);
  if (job.state === 'COMPLETED') return;
  const errors = await readLabFile(lab, `${directory}/prepare/job.err`);
  const output = await readLabFile(lab, `${directory}/prepare/job.out`);
  throw new LabError(`Preparing the case ended with ${job.state} ${job.exitCode}:\n${errors}\n${output.slice(-2000)}`);
}

function renderDecomposition(ranks: number): string {
  return `FoamFile
{
    version     2.0;
    format      ascii;
    class       dictionary;
    object      decomposeParDict;
}

numberOfSubdomains ${ranks};
method          simple;
simpleCoeffs
{
    n           (${ranks} 1 1);
    delta       0.001;
}
`;
}
