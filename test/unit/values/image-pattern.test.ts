import { describe, expect, it } from 'vitest';
import { matchesImagePattern, parseImagePattern } from '../../../src/values/image-pattern.ts';
import { parseImageReference } from '../../../src/values/image-reference.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const matches = (reference: string, pattern: string): boolean =>
  matchesImagePattern(parseImageReference(reference), parseImagePattern(pattern));

describe('matchesImagePattern', () => {
  it.each([
    ['hpc/*', 'hpc/openfoam'],
    ['hpc/*', 'docker.io/hpc/openfoam:2.3.0'],
    ['hpc/*', `hpc/openfoam@${digest}`],
    ['hpc/open*', 'hpc/openfoam'],
    ['hpc/*foam*', 'hpc/openfoam-dev'],
    ['hpc/**', 'hpc/a'],
    ['hpc/**', 'hpc/a/b/c'],
    ['hpc/**/gpu', 'hpc/a/b/gpu'],
    ['hpc/**/x/**', 'hpc/a/x/x/b'],
    ['*', 'debian'],
    ['**', 'hpc/x'],
    ['**', 'debian'],
    ['docker.io/**', 'a/b/c'],
    ['registry.example:5000/**', 'registry.example:5000/a/b:1'],
    ['hpc/x:2.*', 'hpc/x:2.3.0'],
    ['hpc/x:latest', 'hpc/x'],
    [`hpc/x@${digest}`, `hpc/x:any@${digest}`],
  ])('%s allows %s', (pattern, reference) => {
    expect(matches(reference, pattern)).toBe(true);
  });

  it.each([
    ['hpc/*', 'evil.example/hpc/x'],
    ['hpc/*', 'evil:5000/hpc/x'],
    ['hpc/*', 'localhost/hpc/x'],
    ['hpc/*', 'hpc.evil.example/x'],
    ['hpc/*', 'hpc:5000/x'],
    ['hpc/*', 'hpc/a/b'],
    ['hpc/*', 'hpc'],
    ['hpc/*', 'xhpc/a'],
    ['hpc/**', 'hpc'],
    ['hpc/**/gpu', 'hpc/gpu'],
    ['hpc/x', 'hpc/xy'],
    ['hpc/x', 'library/x'],
    ['*', 'hpc/x'],
    ['library/**', 'hpc/x'],
    ['docker.io/**', 'evil.example/a/b'],
    ['*', 'localhost/x'],
    ['**', 'evil.example/x'],
    ['**', 'evil:80/x'],
    ['registry.example/*', 'registry.example:5000/x'],
    ['registry.example/*', 'registryXexample/x'.toLowerCase()],
    ['registry.example/*', 'registry.example.evil/x'],
    ['docker.io/hpc/*', 'evil.example/docker.io/hpc/x'],
    ['hpc/x:2.*', 'hpc/x'],
    ['hpc/x:2.*', 'hpc/x:12.0'],
    // The engine goes by the digest: the tag would be a lie.
    ['hpc/x:2.*', `hpc/x:2.3@${digest}`],
    ['hpc/x:*', `hpc/x@${digest}`],
    [`hpc/x@${digest}`, 'hpc/x'],
    [`hpc/x@${digest}`, `hpc/x@sha256:${'f'.repeat(64)}`],
  ])('%s does not allow %s', (pattern, reference) => {
    expect(matches(reference, pattern)).toBe(false);
  });

  it('allows no other registry whatever stands before the pattern’s text', () => {
    const patterns = [
      'hpc/*',
      'hpc/**',
      '*',
      '**',
      'hpc/x',
      'hpc/x:1',
      'registry.example/hpc/*',
      'registry.example:5000/**',
    ];
    const registries = [
      'evil.example',
      'evil:1',
      'localhost',
      'localhost:5000',
      'registry.example:5001',
      'a.registry.example',
      'registry.example.a',
    ];
    const paths = ['hpc/x', 'hpc/x:1', 'x', 'hpc/hpc/x', 'docker.io/hpc/x', 'registry.example/hpc/x', 'library/x'];
    for (const pattern of patterns) {
      for (const registry of registries) {
        for (const path of paths)
          expect([pattern, `${registry}/${path}`, matches(`${registry}/${path}`, pattern)]).toContain(false);
      }
    }
  });

  it('agrees with a regular expression on every short name', () => {
    const names = texts('ab', 5);
    for (const pattern of ['*', 'a*', '*a', 'a*b', '*a*b*', 'a*a*a', 'ab', '*ab*ab*']) {
      const expression = new RegExp(`^${pattern.replaceAll('*', '.*')}$`);
      for (const name of names)
        expect([pattern, name, matches(`hpc/${name}`, `hpc/${pattern}`)]).toEqual([
          pattern,
          name,
          expression.test(name),
        ]);
    }
  });

  it('answers at once for a name made to be slow', () => {
    const started = performance.now();
    expect(matches(`hpc/${'a'.repeat(200)}`, `hpc/${'*a'.repeat(60)}*b`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(500);
  });
});

/** Every text of these letters up to that length. */
function texts(letters: string, length: number): string[] {
  if (length === 1) return letters.split('');
  const shorter = texts(letters, length - 1);
  return [...new Set([...shorter, ...shorter.flatMap((text) => letters.split('').map((letter) => text + letter))])];
}

describe('parseImagePattern', () => {
  it.each([
    '',
    '*.example/x',
    '*:5000/x',
    'registry.example:*/x',
    'hpc/a**',
    'hpc/***',
    'HPC/x',
    'hpc//x',
    'hpc/?',
    'hpc/[a]',
    'hpc/x:',
    'hpc/x@sha256:*',
    'a b',
  ])('refuses "%s"', (pattern) => {
    expect(() => parseImagePattern(pattern)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error);
  });
});
