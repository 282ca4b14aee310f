import { asJobError } from '../values/errors.ts';
import { enter } from './enter.ts';

async function run([word = '']: readonly string[]): Promise<number> {
  if (word !== '--version') return await enter(word);
  process.stdout.write(`${process.env['HPCDJ_VERSION'] ?? 'development'}\n`);
  return 0;
}

run(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (thrown: unknown) => {
    const error = asJobError(thrown);
    process.stderr.write(`hpc-submit-dockerjob: ${error.toLine()}\n`);
    process.exit(error.exitStatus);
  },
);
