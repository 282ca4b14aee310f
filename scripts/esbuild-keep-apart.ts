import { resolve } from 'node:path';
import type { Plugin } from 'esbuild';

/** Leaves these modules out of a program: each is `NAME.cjs` beside it, and is loaded when it is imported. */
export function keepApart(parts: Readonly<Record<string, string>>): Plugin {
  const names = new Map(Object.entries(parts).map(([name, file]) => [resolve(file), name]));
  return {
    name: 'keep-apart',
    setup(build) {
      build.onResolve({ filter: /^\./ }, ({ path, resolveDir, kind }) => {
        const name = kind === 'dynamic-import' ? names.get(resolve(resolveDir, path)) : undefined;
        return name === undefined ? undefined : { path: `./${name}.cjs`, external: true };
      });
    },
  };
}
