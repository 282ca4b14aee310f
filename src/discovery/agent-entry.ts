import { main } from './agent.ts';
import { rehearse } from './rehearse.ts';

async function run(): Promise<number> {
  if (process.argv[2] !== '--version') return main();
  // The build keeps the code that this run has compiled: every later start gets it ready-made.
  if (process.env['HPCDJ_BUILD_CACHE'] === '1') await rehearse();
  process.stdout.write(`${process.env['HPCDJ_VERSION'] ?? 'development'}\n`);
  return 0;
}

run().then(
  (status) => process.exit(status),
  (error: unknown) => {
    process.stderr.write(`hpc-submit-dockerjob: the agent of this container could not start: ${String(error)}\n`);
    process.exit(70);
  },
);
