import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Plugin } from 'esbuild';
import { generateEtcdProtocol } from './generate-etcd-protocol.ts';

const importer = 'etcd3/lib/connection-pool.js';
const loaderImport = 'const proto_loader_1 = require("@grpc/proto-loader");';
const loadCall = '(0, proto_loader_1.loadSync)(`${__dirname}/../proto/rpc.proto`,';
const compiledCall = 'require("compiled:etcd-proto")(';

/**
 * Puts etcd's protocol into the bundle as compiled code. As it comes, etcd3 reads `../proto/rpc.proto` from its own
 * directory at run time, which a bundle does not have; to parse it and to make functions of it takes a good part of
 * a short program's life, and V8's cached data holds nothing that is made at run time.
 */
export function compileEtcdProto(): Plugin {
  return {
    name: 'compile-etcd-proto',
    setup(build) {
      build.onLoad({ namespace: 'file', filter: /etcd3[\\/]lib[\\/]connection-pool\.js$/ }, async ({ path: file }) => {
        const source = await readFile(file, 'utf8');
        const contents = source.replace(loaderImport, '').replace(loadCall, compiledCall);
        // Another release of etcd3: better no bundle than one that fails at its first call.
        if (contents.includes('proto_loader') || !contents.includes(compiledCall))
          throw new Error(`${importer} does not load its protocol as expected: adapt ${import.meta.filename}.`);
        return { contents, loader: 'js', resolveDir: path.dirname(file) };
      });
      build.onResolve({ filter: /^compiled:etcd-proto$/ }, ({ importer: file }) => ({
        path: file,
        namespace: 'etcd-proto',
      }));
      build.onLoad({ filter: /.*/, namespace: 'etcd-proto' }, ({ path: file }) => {
        // Neither package is ours: they are found the way etcd3 finds them.
        const loader = createRequire(file).resolve('@grpc/proto-loader');
        const protobufjs = createRequire(loader)('protobufjs') as Parameters<typeof generateEtcdProtocol>[0];
        return {
          contents: generateEtcdProtocol(protobufjs, path.join(path.dirname(file), '../proto')),
          loader: 'js',
          resolveDir: path.dirname(loader),
        };
      });
    },
  };
}
