import { expect, it } from 'vitest';
import { throwOnTrouble } from '../../../src/helper/keeper/job-trouble.ts';
import type { JobState } from '../../../src/helper/job/job-state.ts';
import { asJobError } from '../../../src/values/errors.ts';
import { makePlan } from '../../support/make-plan.ts';

it.each([
  ['its rule', 'MOUNT_NOT_ALLOWED: No. (site.yaml mounts.allowed "/a")', 'MOUNT_NOT_ALLOWED', 'mounts.allowed "/a"'],
  ['the last one', 'IMAGE_NOT_ALLOWED: No (site.yaml x). (site.yaml a "b(c)")', 'IMAGE_NOT_ALLOWED', 'a "b(c)"'],
  ['none', 'NODE_LATE: Late (site.yaml deadlines).', 'NODE_LATE', undefined],
  ['none for what is no code', 'Oh (site.yaml x)', 'BUG', undefined],
])('a node that has failed is told with %s', (_, error, code, rule) => {
  const nodes = new Map([[0, { error, isLost: false }]]);
  const state = { finish: 'running', nodes } as unknown as JobState;
  try {
    throwOnTrouble(makePlan({}), state);
  } catch (thrown) {
    expect(asJobError(thrown)).toMatchObject({ code, rule });
    return;
  }
  expect.unreachable();
});
