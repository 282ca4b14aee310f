import type { Plugin } from 'esbuild';

/** Leaves out zod's translations of its messages: ours are English, and the others are a third of a small program. */
export function dropZodLocales(): Plugin {
  return {
    name: 'drop-zod-locales',
    setup(build) {
      build.onLoad({ filter: /zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
        contents: `export { default as en } from './en.js';`,
        loader: 'js',
      }));
    },
  };
}
