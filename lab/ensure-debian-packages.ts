/** Installs the Debian packages that the tests and the demo need, before anything else runs: `ensure-debian-packages.ts [--no-apt]`. */
import { checkMachine, ensurePackages } from './check-machine.ts';
import { describeFailure } from './lab-error.ts';

try {
  checkMachine();
  const remark = await ensurePackages(!process.argv.includes('--no-apt'), []);
  if (remark !== 'all present') process.stderr.write(`Debian packages: ${remark}\n`);
} catch (error) {
  process.stderr.write(`${describeFailure(error)}\n`);
  process.exitCode = 69;
}
