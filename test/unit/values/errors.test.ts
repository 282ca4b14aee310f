import { expect, it } from 'vitest';
import { asClause, JobError } from '../../../src/values/errors.ts';

it.each([
  [new JobError({ code: 'BUG', message: 'Could not reach the store.' }), 'Could not reach the store'],
  [new Error('it broke'), 'it broke'],
  ['text. ', 'text'],
])('makes a part of a sentence of %j: without its period', (thrown, clause) => {
  expect(asClause(thrown)).toBe(clause);
});
