import type { CallAudit } from '../../src/helper/audit/audit.ts';
import { auditCall } from '../../src/helper/audit/audit.ts';

/** An audit whose records are kept in `into`, as they would be written. */
export function keepAudit(into: string[], { problem }: { readonly problem?: string } = {}): CallAudit {
  const sink = {
    add: (record: string) => void into.push(record),
    findProblem: () => problem,
    flush: async () => await Promise.resolve(),
  };
  return auditCall(sink, { uid: 0, verb: 'test' }, { isRequired: problem !== undefined, patienceMs: 0 });
}
