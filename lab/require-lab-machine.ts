/** Ends with 69, the reason and the remedy where no lab can run: asked before anything is built or installed for it. */
import { readHierarchies } from './cgroup-tree.ts';
import { checkMachine } from './check-machine.ts';
import { describeFailure } from './lab-error.ts';

try {
  checkMachine();
  await readHierarchies();
} catch (error) {
  process.stderr.write(`${describeFailure(error)}\n`);
  process.exitCode = 69;
}
