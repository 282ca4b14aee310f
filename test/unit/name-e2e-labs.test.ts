import { describe, expect, it } from 'vitest';
import { checkLabName } from '../../lab/layout.ts';
import { nameE2eLabs } from '../support/name-e2e-labs.ts';

describe('the labs of the end-to-end tests', () => {
  it('are called e2e unless HPCDJ_E2E_LAB names them', () => {
    expect(nameE2eLabs({}).shared).toBe('e2e');
    expect(nameE2eLabs({ HPCDJ_E2E_LAB: 'mine' }).shared).toBe('mine');
  });

  it('never have the name of a lab of another run', () => {
    const runs = ['e2e', 'e', 'e2', 'e2e2', 'e2ee', 'abcdefg'].map((name) => nameE2eLabs({ HPCDJ_E2E_LAB: name }));
    const names = runs.flatMap((run) => Object.values(run) as string[]);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(() => checkLabName(name)).not.toThrow();
  });

  it.each(['', 'E2E', '2e', 'abcdefgh', 'a-b', 'e2ex', 'gnu', 'new', 'my', 'z'])('refuse the name "%s"', (name) => {
    expect(() => nameE2eLabs({ HPCDJ_E2E_LAB: name })).toThrow('Take up to 7 lower-case letters');
  });
});
