import type { Plugin } from 'esbuild';

const extras: readonly { readonly filter: RegExp; readonly contents: string }[] = [
  // Nobody serves gRPC here, and nobody asks for load reports.
  { filter: /grpc-js[\\/]build[\\/]src[\\/]server\.js$/, contents: 'exports.Server = class Server {};' },
  { filter: /grpc-js[\\/]build[\\/]src[\\/]orca\.js$/, contents: '' },
  // One member is spoken to at a time: what spreads calls over many is never chosen.
  ...['outlier-detection', 'weighted-round-robin'].map((name) => ({
    filter: new RegExp(`grpc-js[\\\\/]build[\\\\/]src[\\\\/]load-balancer-${name}\\.js$`),
    contents: 'exports.setup = () => undefined;',
  })),
];

/** Leaves out what gRPC brings and a client never uses: it is read at every start. */
export function dropGrpcExtras(): Plugin {
  return {
    name: 'drop-grpc-extras',
    setup(build) {
      for (const { filter, contents } of extras) build.onLoad({ filter }, () => ({ contents, loader: 'js' }));
      // Loads descriptions of services that only a server would offer.
      build.onResolve({ filter: /^@grpc\/proto-loader$/ }, ({ path }) => ({ path, namespace: 'dropped' }));
      build.onLoad({ filter: /.*/, namespace: 'dropped' }, () => ({ contents: '', loader: 'js' }));
    },
  };
}
