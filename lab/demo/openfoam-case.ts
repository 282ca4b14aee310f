/** The case of the slides: pitzDailyExptInlet with simpleFoam, three ranks on three hosts. */
import { awaitJob, mustRun, readLabFile, submitJob, writeLabFile } from '../batch-jobs.ts';
import { LabError } from '../lab-error.ts';
import type { Lab } from '../running-lab.ts';

export const openfoamCase = {
  directory: '/scratch/OF_pitzDailyExptInlet',
  image: 'lab/openfoam:1912',
  tutorial: '/usr/share/doc/openfoam-examples/examples/incompressible/simpleFoam/pitzDailyExptInlet',
  iterations: 50,
} as const;

/** The slides' script in its unchanged form: exports, and the wrapper as the last line. */
export function demoScript(): string {
  return `#!/bin/bash
#SBATCH -J pitzDaily_OF
#SBATCH -N 3
#SBATCH -n 3
#SBATCH -t 00:05:00

### exec params
export APPLICATION=openfoam:2.3.0
export COMMAND="mpirun -v -hostfile system/machines -x PATH=\\$PATH -x LD_LIBRARY_PATH=\\$LD_LIBRARY_PATH -x WM_PROJECT_DIR=\\$WM_PROJECT_DIR simpleFoam -parallel"
export JOBDIR=${openfoamCase.directory}

### Docker-Middleware-Wrapper
hpc_submit_dockerjob
`;
}

/** Copies the tutorial out of the image, fits it to three ranks and some fifty iterations, and meshes it in a job of alice's. */
export async function prepareCase(lab: Lab): Promise<void> {
  const { directory, image, tutorial, iterations } = openfoamCase;
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
  await writeLabFile(lab, `${directory}/system/decomposeParDict`, decomposeParDict, 'alice');
  await mustRun(lab, 'node1', [
    'sed',
    '-i',
    `s/^endTime .*/endTime ${iterations};/; s/^writeInterval .*/writeInterval ${iterations};/`,
    `${directory}/system/controlDict`,
  ]);
  const script = `#!/bin/bash
hpc-submit-dockerjob --application openfoam:2.3.0 --workdir ${directory} -- sh -c 'blockMesh && decomposePar'
`;
  const id = await submitJob(lab, { user: 'alice', directory: `${directory}/prepare`, sbatch: ['-N1', '-n1'], script });
  const job = await awaitJob(lab, id);
  if (job.state === 'COMPLETED') return;
  const errors = await readLabFile(lab, `${directory}/prepare/job.err`);
  const output = await readLabFile(lab, `${directory}/prepare/job.out`);
  throw new LabError(`Preparing the case ended with ${job.state} ${job.exitCode}:\n${errors}\n${output.slice(-2000)}`);
}

const decomposeParDict = `FoamFile
{
    version     2.0;
    format      ascii;
    class       dictionary;
    object      decomposeParDict;
}

numberOfSubdomains 3;
method          simple;
simpleCoeffs
{
    n           (3 1 1);
    delta       0.001;
}
`;
