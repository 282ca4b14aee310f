import { describe, expect, it } from 'vitest';
import type { CallerFacts } from '../../../src/helper/caller/identify-caller.ts';
import {
  identifyCaller,
  readCallerFacts,
  requireOwner,
  requireUser,
} from '../../../src/helper/caller/identify-caller.ts';

const viaSudo: CallerFacts = { effectiveUid: 0, parentUid: 2001, sudoUid: '2001' };
const byRoot: CallerFacts = { effectiveUid: 0, parentUid: 0, sudoUid: undefined };

describe('identifyCaller', () => {
  it.each([
    ['a user calls through sudo', viaSudo],
    ['their own process has ended', { ...viaSudo, parentUid: undefined }],
    ['root has taken on their process', { ...viaSudo, parentUid: 0 }],
  ])('takes the user whom sudo names when %s', (_, facts) => {
    expect(identifyCaller(facts)).toEqual({ kind: 'user', uid: 2001 });
  });

  it.each([
    ['sudo was not involved', byRoot],
    ['the caller has ended', { ...byRoot, parentUid: undefined }],
    ['root used sudo', { ...byRoot, sudoUid: '0' }],
  ])('takes root when %s', (_, facts) => {
    expect(identifyCaller(facts)).toEqual({ kind: 'root' });
  });

  it.each([
    '',
    ' ',
    'abc',
    '-1',
    '-0',
    '+0',
    '00',
    '0x0',
    '0x7d1',
    '0e0',
    '0\n',
    '2001 ',
    '2001,0',
    '1.5',
    '4294967295',
    '4294967296',
    '99999999999999999999',
    '٠',
  ])('refuses SUDO_UID=%j', (sudoUid) => {
    for (const parentUid of [0, 2001, undefined])
      expect(() => identifyCaller({ effectiveUid: 0, parentUid, sudoUid })).toThrow(/no valid caller/);
  });

  it.each([undefined, '0'])('takes no user’s process for root, with SUDO_UID=%s', (sudoUid) => {
    expect(() => identifyCaller({ effectiveUid: 0, parentUid: 2001, sudoUid })).toThrow(/uid 2001, and not through/);
  });

  it('refuses to work without root rights', () => {
    expect(() => identifyCaller({ ...viaSudo, effectiveUid: 2001 })).toThrow(/without root rights/);
  });

  it('reads the effective uid of the process that has started it, and nothing else of the environment', () => {
    const facts = readCallerFacts({ SUDO_COMMAND: '/bin/bash', SUDO_USER: 'root', SUDO_UID: '7', USER: 'root' });
    expect(facts).toEqual({ effectiveUid: process.geteuid?.(), parentUid: process.geteuid?.(), sudoUid: '7' });
  });
});

describe('who may do what', () => {
  it('lets no root start a job', () => {
    expect(() => requireUser({ kind: 'root' })).toThrow(/root/);
  });

  it('lets the owner and root release, and nobody else', () => {
    expect(() => requireOwner({ kind: 'user', uid: 1 }, 1, '12')).not.toThrow();
    expect(() => requireOwner({ kind: 'root' }, 1, '12')).not.toThrow();
    expect(() => requireOwner({ kind: 'user', uid: 2 }, 1, '12')).toThrow(/another user/);
  });

  it('lets a user alone run a node: not even root', () => {
    expect(requireUser({ kind: 'user', uid: 1 })).toBe(1);
    expect(() => requireUser({ kind: 'root' })).toThrow(/root/);
  });
});
