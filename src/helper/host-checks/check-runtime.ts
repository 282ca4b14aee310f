import type { Check } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';
import type { Runtime } from '../host/find-runtime.ts';

/** What is mounted into every container was assembled for this very version, and is root's alone. */
export function checkRuntime(findRuntime: () => Promise<Runtime>): Check {
  return {
    name: 'runtime',
    look: async () => fine(`containers get ${(await findRuntime()).runtimeDirectory}`),
  };
}
