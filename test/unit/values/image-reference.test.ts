import { describe, expect, it } from 'vitest';
import { formatImageReference, parseImageReference } from '../../../src/values/image-reference.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

describe('parseImageReference', () => {
  it.each([
    ['openfoam', 'docker.io', 'library/openfoam', 'latest', 'openfoam:latest'],
    ['openfoam:2.3.0', 'docker.io', 'library/openfoam', '2.3.0', 'openfoam:2.3.0'],
    ['hpc/openfoam', 'docker.io', 'hpc/openfoam', 'latest', 'hpc/openfoam:latest'],
    ['docker.io/openfoam', 'docker.io', 'library/openfoam', 'latest', 'openfoam:latest'],
    ['index.docker.io/hpc/x', 'docker.io', 'hpc/x', 'latest', 'hpc/x:latest'],
    ['library/a/b', 'docker.io', 'library/a/b', 'latest', 'library/a/b:latest'],
    ['docker.io/my.org/app:1', 'docker.io', 'my.org/app', '1', 'docker.io/my.org/app:1'],
    ['docker.io/localhost/app', 'docker.io', 'localhost/app', 'latest', 'docker.io/localhost/app:latest'],
    ['registry.example/app', 'registry.example', 'app', 'latest', 'registry.example/app:latest'],
    ['registry.example:5000/a/b_c/d__e/f--g:V1', 'registry.example:5000', 'a/b_c/d__e/f--g', 'V1', undefined],
    ['localhost/app', 'localhost', 'app', 'latest', 'localhost/app:latest'],
    ['hpc:5000/app', 'hpc:5000', 'app', 'latest', 'hpc:5000/app:latest'],
    ['hpc:5000', 'docker.io', 'library/hpc', '5000', 'hpc:5000'],
  ])('reads %s', (text, registry, path, tag, shown) => {
    const reference = parseImageReference(text);
    expect(reference).toEqual({ registry, path, tag });
    expect(formatImageReference(reference)).toBe(shown ?? text);
    expect(parseImageReference(formatImageReference(reference))).toEqual(reference);
  });

  it('keeps a digest, with and without a tag', () => {
    expect(parseImageReference(`hpc/x@${digest}`)).toEqual({ registry: 'docker.io', path: 'hpc/x', digest });
    expect(parseImageReference(`hpc/x:1@${digest}`)).toEqual({
      registry: 'docker.io',
      path: 'hpc/x',
      tag: '1',
      digest,
    });
  });

  it.each([
    '',
    ':1',
    '/x',
    'x/',
    'x//y',
    'a/../b',
    './x',
    'X',
    'hpc/X:1',
    'Registry.example/x',
    'registry.example:0/x',
    'registry.example:70000/x',
    'registry.example:/x',
    'user@registry.example/x',
    'user:pw@registry.example/x',
    'https://registry.example/x',
    '[::1]:5000/x',
    '-x',
    'x-',
    'x..y',
    'x___y',
    'x y',
    ' x',
    'x\n',
    'x:',
    'x:.1',
    `x:${'t'.repeat(129)}`,
    'x:1:2',
    'x@',
    'x@sha256:abc',
    `x@sha512:${'a'.repeat(128)}`,
    `x@${digest}@${digest}`,
    `x@${digest.toUpperCase()}`,
    'a'.repeat(64),
    `sha256:${'a'.repeat(64)}`,
    'sha256:abc',
    'sha512:abc',
    'docker.io/sha256:abc',
    'library/sha256:abc',
    'sha256',
    'x'.repeat(256),
    'hpc/*',
    '-v=/:/host',
    'x;id',
    'хpc/x', // a Cyrillic letter
  ])('refuses %j', (text) => {
    expect(() => parseImageReference(text)).toThrow(
      expect.objectContaining({ code: 'IMAGE_REFERENCE_INVALID' }) as Error,
    );
  });

  it.each(['docker://lab/mpi:1', 'docker-daemon://x', 'library://x/y'])('says that %j begins with a scheme', (text) => {
    expect(() => parseImageReference(text)).toThrow(/a name begins without "[a-z-]+:\/\/"/);
  });

  it('refuses a text of any length at once', () => {
    expect(() => parseImageReference(`${'x/'.repeat(1_000_000)}x`)).toThrow('it is too long');
  });
});
