import { expect, it } from 'vitest';
import { checkTransaction, maxOperations } from '../../../src/contract/check-transaction.ts';

const puts = (count: number) => Array.from({ length: count }, (_, n) => ({ key: `/${n}`, value: '' }));
const absent = (count: number) => puts(count).map(({ key }) => ({ kind: 'absent', key }));

it('counts conditions and operations apart, as etcd does', () => {
  expect(() => checkTransaction({ conditions: absent(maxOperations), puts: puts(maxOperations) })).not.toThrow();
});

it.each([
  ['too many conditions', { conditions: absent(maxOperations + 1) }, /129 operations/],
  [
    'too many puts and deletes together',
    { puts: puts(100), deletes: Array(29).fill({ start: '/x', end: '/y' }) },
    /129 operations/,
  ],
  ['too many bytes', { puts: [{ key: '/a', value: '\u00e4'.repeat(800_000) }] }, /bytes/],
  ['a key twice', { puts: [...puts(1), ...puts(1)] }, /one key twice/],
  ['a key put and deleted', { puts: puts(1), deletes: [{ start: '/', end: '0' }] }, /both puts and deletes \/0/],
])('refuses %s', (_name, transaction, message) => {
  expect(() => checkTransaction(transaction)).toThrow(message);
});
