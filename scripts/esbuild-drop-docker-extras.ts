import { readFile } from 'node:fs/promises';
import type { OnLoadResult, Plugin } from 'esbuild';

const extras: readonly { readonly filter: RegExp; readonly what: string; readonly name: string }[] = [
  // Brings gRPC, protobuf and a .proto file that a bundle would not find. No image is ever built here.
  { filter: /dockerode[\\/]lib[\\/]session\.js$/, what: 'BuildKit sessions are', name: 'withSession' },
  // Brings the whole of ssh2. The engine is reached by its local socket alone.
  { filter: /docker-modem[\\/]lib[\\/]ssh\.js$/, what: 'Docker over SSH is', name: 'connectOverSsh' },
];

function stub(what: string, name: string): OnLoadResult {
  const contents = `module.exports = function ${name}() {
  throw new Error('${what} not part of this program.');
};`;
  return { contents, loader: 'js' };
}

/** Leaves out what dockerode brings and this project never uses: who tried it would get a plain error. */
export function dropDockerExtras(): Plugin {
  return {
    name: 'drop-docker-extras',
    setup(build) {
      for (const { filter, what, name } of extras) {
        build.onLoad({ filter }, () => stub(what, name));
      }
      // Reads certificates for DOCKER_HOST, which is not followed here; and its licence would have to go with it.
      build.onResolve({ filter: /^split-ca$/ }, ({ path }) => ({ path, namespace: 'left-out' }));
      build.onLoad({ filter: /.*/, namespace: 'left-out' }, () => stub('Docker over TLS is', 'splitCa'));
      // Renders every request for a debug line that nobody reads: some milliseconds for each.
      build.onLoad({ filter: /docker-modem[\\/]lib[\\/]modem\.js$/ }, async ({ path }) => {
        const source = await readFile(path, 'utf8');
        const contents = source.replace(/debug\('Sending: %s', util\.inspect\(options, \{[^}]*\}\)\);/, '');
        if (contents === source) throw new Error(`docker-modem is not as expected: adapt ${import.meta.filename}.`);
        return { contents, loader: 'js' };
      });
    },
  };
}
