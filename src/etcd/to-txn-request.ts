import type { ICompare, IRequestOp, ITxnRequest } from 'etcd3';
import { CompareResult, CompareTarget } from 'etcd3';
import type { Condition, Transaction } from '../ports/store.ts';

/** The transaction in etcd's words: conditions compare, puts and deletes follow if all of them hold. */
export function toTxnRequest({ conditions = [], puts = [], deletes = [] }: Transaction): ITxnRequest {
  const putRequests = puts.map(({ key, value, lease }): IRequestOp => ({
    request_put: { key: Buffer.from(key), value: Buffer.from(value), ...(lease && { lease: lease.id }) },
  }));
  const deleteRequests = deletes.map(({ start, end }): IRequestOp => ({
    request_delete_range: { key: Buffer.from(start), range_end: Buffer.from(end) },
  }));
  return { compare: conditions.map(toCompare), success: [...deleteRequests, ...putRequests], failure: [] };
}

function toCompare(condition: Condition): ICompare {
  const key = Buffer.from(condition.key);
  switch (condition.kind) {
    case 'absent':
      return { key, target: CompareTarget.Create, result: CompareResult.Equal, create_revision: 0 };
    case 'present':
      return { key, target: CompareTarget.Create, result: CompareResult.Greater, create_revision: 0 };
    case 'value':
      return { key, target: CompareTarget.Value, result: CompareResult.Equal, value: Buffer.from(condition.equals) };
  }
}
