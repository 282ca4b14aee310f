import type { Check } from '../../shared/finding.ts';
import { fine } from '../../shared/finding.ts';
import type { Runtime } from '../find-runtime.ts';

/** What is mounted into every container was assembled for this very version, and is root's alone. */
export function checkRuntime(findRuntime: () => Promise<Runtime>): Check {
  return {
    name: 'runtime',
    look: async () => fine(`containers get ${(await findRuntime()).runtimeDirectory}`),
  };
}
