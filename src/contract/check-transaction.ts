import { JobError } from '../values/errors.ts';
import type { KeyRange } from './kvs-keys.ts';
import { isInRange } from './kvs-keys.ts';

/** Limits of etcd, kept by every store. */
export const maxOperations = 128;
const maxTransactionBytes = 1.5 * 1024 * 1024;

/** What is looked at; the store's `Transaction` fits. */
interface Checked {
  readonly conditions?: readonly { readonly key: string }[];
  readonly puts?: readonly { readonly key: string; readonly value: string }[];
  readonly deletes?: readonly KeyRange[];
}

/** Throws when etcd would refuse the transaction for its form: too many operations, too large, a key touched twice. */
export function checkTransaction({ conditions = [], puts = [], deletes = [] }: Checked): void {
  const operations = Math.max(conditions.length, puts.length + deletes.length);
  if (operations > maxOperations) refuse(`it has ${operations} operations, ${maxOperations} are allowed`);
  const bytes = puts.reduce((sum, { key, value }) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  if (bytes > maxTransactionBytes) refuse(`it has ${bytes} bytes, ${maxTransactionBytes} are allowed`);
  const keys = new Set(puts.map(({ key }) => key));
  if (keys.size < puts.length) refuse('it puts one key twice');
  const both = puts.find(({ key }) => deletes.some((range) => isInRange(range, key)));
  if (both !== undefined) refuse(`it both puts and deletes ${both.key}`);
}

function refuse(why: string): never {
  throw new JobError({ code: 'BUG', message: `A transaction for the key-value store cannot be carried out: ${why}.` });
}
