import { describe, expect, it } from 'vitest';
import { identifyCaller, requireOwner, requireUser } from '../../../src/helper/identify-caller.ts';

const helper = '/opt/hpc-submit-dockerjob/bin/hpc-dockerjob-helper';
const viaSudo = { SUDO_UID: '2001', SUDO_COMMAND: `${helper} run-node 12`, HPCDJ_HELPER: helper };

describe('identifyCaller', () => {
  it('takes the user whom sudo names', () => {
    expect(identifyCaller(0, viaSudo)).toEqual({ kind: 'user', uid: 2001 });
  });

  it.each([
    ['sudo was not involved', {}],
    ['sudo opened a shell earlier', { ...viaSudo, SUDO_COMMAND: '/bin/bash' }],
    [
      'sudo ran another program whose argument names the helper',
      { ...viaSudo, SUDO_COMMAND: '/usr/bin/vi x-hpc-dockerjob-helper' },
    ],
    ['root used sudo', { ...viaSudo, SUDO_UID: '0' }],
  ])('takes root when %s', (_, environment) => {
    expect(identifyCaller(0, environment)).toEqual({ kind: 'root' });
  });

  it.each(['abc', '-1', '1.5', '99999999999999999999'])('refuses SUDO_UID=%s', (uid) => {
    expect(() => identifyCaller(0, { ...viaSudo, SUDO_UID: uid })).toThrow(/no valid caller/);
  });

  it('refuses to work without root rights', () => {
    expect(() => identifyCaller(2001, viaSudo)).toThrow(/without root rights/);
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
});
