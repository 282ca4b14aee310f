import type { Plugin } from 'esbuild';

const extras: readonly { readonly filter: RegExp; readonly contents: string }[] = [
  // HTTP through SSH: nobody asks for it, and it loads http, https and tls.
  { filter: /ssh2[\\/]lib[\\/]http-agents\.js$/, contents: '' },
  {
    // A module of WebAssembly for ChaCha20, a cipher that is not in src/ssh/ssh-algorithms.ts.
    filter: /ssh2[\\/]lib[\\/]protocol[\\/]crypto[\\/]poly1305\.js$/,
    contents: `module.exports = async () => ({
      _malloc: () => 0,
      cwrap: () => () => { throw new Error('ChaCha20 was left out of this build.'); },
    });`,
  },
];

/** Leaves out what the SSH library loads at its start and no job uses: it would cost each host of each job. */
export function dropSshExtras(): Plugin {
  return {
    name: 'drop-ssh-extras',
    setup(build) {
      for (const { filter, contents } of extras) build.onLoad({ filter }, () => ({ contents, loader: 'js' }));
    },
  };
}
