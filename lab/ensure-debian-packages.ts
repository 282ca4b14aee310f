/** Installs the Debian packages that the tests need, before anything else runs: `ensure-debian-packages.ts integration|e2e [--no-apt]`. */
import { checkMachine, ensurePackages } from './check-machine.ts';
import { describeFailure } from './lab-error.ts';
import { registryPackage } from './registry.ts';

try {
  checkMachine();
  // Before any host of a lab runs: they see this machine's programs.
  const more = process.argv.includes('e2e') ? [registryPackage] : [];
  const remark = await ensurePackages(!process.argv.includes('--no-apt'), [], more);
  if (remark !== 'all present') process.stderr.write(`Debian packages: ${remark}\n`);
} catch (error) {
  process.stderr.write(`${describeFailure(error)}\n`);
  process.exitCode = 69;
}
